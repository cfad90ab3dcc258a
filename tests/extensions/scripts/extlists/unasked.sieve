require "extlists";
if header :list "x-none" "tag:example.com,2024:nobody" { discard; }
if header :list "subject" ["tag:example.com,2024:subjects", "tag:example.com,2024:nobody"] { discard; }
