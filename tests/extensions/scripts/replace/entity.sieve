require ["replace", "variables"];
set "entity" "no entity";
replace :mime "${entity}";
