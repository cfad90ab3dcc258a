require ["duplicate", "ihave"];
if duplicate :handle "broken" { stop; }
error "broken";
