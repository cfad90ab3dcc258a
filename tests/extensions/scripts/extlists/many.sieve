require ["extlists", "copy"];
redirect :copy "first@example.com";
redirect :copy :list "tag:example.com,2024:many";
