require ["extlists", "fileinto"];
fileinto "Before";
if header :list "subject" "tag:example.com,2024:nobody" { discard; }
