require ["include", "variables"];
include "returns";
set "global.returned" "${global.returned}b";
return;
set "global.returned" "${global.returned}c";
