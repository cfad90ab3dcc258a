require ["include", "variables"];
include "pong_once";
set "global.count" "${global.count}x";
