require ["vacation", "reject"];
vacation "I'm away.";
reject "No.";
