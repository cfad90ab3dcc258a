require ["replace"];
replace "Removed by a script within";
