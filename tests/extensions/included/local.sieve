require ["include", "variables"];
set "global.seen" "[${mine}]";
set "mine" "theirs";
