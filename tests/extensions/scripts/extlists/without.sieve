if header :list "subject" ":addrbook:default" { discard; }
redirect :list ":addrbook:default";
if valid_ext_list ":addrbook:default" { discard; }
