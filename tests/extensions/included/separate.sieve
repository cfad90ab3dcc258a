require ["include", "variables"];
set "color" "blue";
set "global.other" "${global.color}";
