require "extlists";
redirect :list "tag:example.com,2024:many";
