require ["editheader", "include", "variables"];
addheader "X-Scanned" "yes";
if header "X-Scanned" "yes" { set "global.scanned" "yes"; }
include "sees";
