require ["enotify", "variables"];

set :encodeurl :encodeurl "a" "b";
