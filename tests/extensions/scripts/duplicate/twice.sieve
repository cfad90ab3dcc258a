require ["duplicate", "fileinto", "mailbox"];
if duplicate { fileinto :create "one"; }
if duplicate :header "message-id" { fileinto :create "two"; }
if duplicate { fileinto :create "three"; }
