require ["include", "variables"];
include :once "itself_once";
set "global.count" "${global.count}x";
