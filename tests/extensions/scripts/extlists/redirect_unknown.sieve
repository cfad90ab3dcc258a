require ["extlists", "fileinto"];
fileinto "Before";
redirect :list "tag:example.com,2024:nobody";
