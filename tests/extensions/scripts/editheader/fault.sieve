require ["editheader", "ihave"];
addheader "X-Fault" "here";
error "on purpose";
