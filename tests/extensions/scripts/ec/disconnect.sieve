require ["ec_inc_counter", "ec_disconnect"]; ec_inc_counter "a"; ec_disconnect "go away";
