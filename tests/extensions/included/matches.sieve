require ["include", "variables"];
set "global.before" "[${1}]";
if header :matches "subject" "*" { set "global.within" "${1}"; }
