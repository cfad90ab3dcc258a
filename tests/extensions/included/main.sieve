require ["include", "variables"];
set "global.count" "${global.count}m";
include "main_once";
if string "${global.count}" "mx" { include "file"; }
