require ["include", "variables"];
include :once "ping_once";
set "global.count" "${global.count}y";
