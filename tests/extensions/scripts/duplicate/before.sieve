require ["duplicate", "fileinto", "copy", "mailbox"];
if duplicate { fileinto :copy :create "before"; }
