require ["vacation", "reject"];
reject "No.";
vacation "I'm away.";
