redirect "dave@example.net";
