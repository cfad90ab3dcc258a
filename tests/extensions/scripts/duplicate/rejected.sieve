require ["duplicate", "ec_action"];
if duplicate { discard; stop; }
ec_action 550 "5.7.1 never" "never";
