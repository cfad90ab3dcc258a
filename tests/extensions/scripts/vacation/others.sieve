require ["vacation", "fileinto"];
vacation "I'm away.";
discard;
keep;
fileinto "INBOX.x";
redirect "dave@example.net";
