require ["editheader", "include", "variables"];
if header "X-Before" "yes" { set "global.seen" "before"; }
if not exists "X-Gone" { set "global.seen" "${global.seen}, not gone"; }
addheader "X-Within" "yes";
deleteheader "X-Before";
