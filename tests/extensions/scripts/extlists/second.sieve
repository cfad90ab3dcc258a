require ["extlists", "relational"];
if header :list :is "subject" ":addrbook:default" { discard; }
if header :count "gt" :list "subject" ":addrbook:default" { discard; }
