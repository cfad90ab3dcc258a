require ["include", "variables"];
include :once "main";
set "global.count" "${global.count}x";
