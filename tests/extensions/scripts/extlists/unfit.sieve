require ["extlists", "body", "virustest"];
if body :list ":addrbook:default" { discard; }
if virustest :list ":addrbook:default" { discard; }
