require ["include", "variables"];
global "x";
set "x" "1";
global ["X", "y"];
