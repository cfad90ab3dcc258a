require ["duplicate", "ec_action"];
if duplicate { discard; stop; }
ec_action 451 "4.7.1 later" "later";
