require "extlists";
if header :list :comparator "i;octet" "subject" ":addrbook:default" { discard; }
if header :comparator "i;ascii-casemap" :list "subject" ":addrbook:default" { discard; }
