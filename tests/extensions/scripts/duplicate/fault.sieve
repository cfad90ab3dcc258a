require ["duplicate", "ihave"];
if not duplicate { error "broken"; }
