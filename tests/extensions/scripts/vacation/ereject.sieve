require ["vacation", "ereject"];
vacation "I'm away.";
ereject "No.";
