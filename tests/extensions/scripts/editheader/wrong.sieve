require ["editheader", "encoded-character"];
addheader "X Y" "value";
addheader "X-Y" "one${hex: 0d 0a}two";
deleteheader :last "X-Y";
deleteheader :index 0 "X-Y";
deleteheader "X:";
