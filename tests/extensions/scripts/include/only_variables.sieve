require "variables";
global "x";
set "global.x" "1";
set "y" "${global.x}";
return;
include "nothing";
