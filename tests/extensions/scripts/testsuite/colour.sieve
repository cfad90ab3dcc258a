require ["vctx", "ec_action"]; if vctx "colour" "red" { ec_action 451 "4.7.1 red"; }
