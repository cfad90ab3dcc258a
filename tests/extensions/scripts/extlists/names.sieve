require "extlists";
if header :list "subject" ["family", ":addrbook:default", ":", ""] { discard; }
if header :list "subject" "tag:example.com,2024:a b" { discard; }
if header :list "subject" "tag:example.com,2024:a#b" { discard; }
if header :list "subject" "tag:example.com,2024:%zz" { discard; }
redirect :list "ann@example.com";
