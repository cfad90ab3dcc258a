require "replace";
replace :mime :subject "x" :from "a@example.com" "Content-Type: text/plain

";
replace :from "nobody" "x";
replace :from "a@example.com, b" "x";
replace :mime "no entity";
