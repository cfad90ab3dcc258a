require ["duplicate", "fileinto", "mailbox"];
if duplicate :header "no name" { fileinto :create "one"; }
if duplicate :header "" { fileinto :create "two"; }
if duplicate :header "subject:" { fileinto :create "three"; }
