# Erin takes no mail from here.
require ["ereject"];

ereject "This mailbox is not in use; write to office@example.com";
