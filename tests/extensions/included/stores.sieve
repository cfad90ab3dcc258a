require ["include", "variables"];
global ["v1", "v2"];
set "v1" "1";
set "global.v3" "3";
