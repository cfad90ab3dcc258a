require ["vacation", "mailbox", "imap4flags", "fcc"];
vacation :create "x";
vacation :flags "\\Seen" "x";
