require ["enotify", "variables"];

set "method" "not a URI";
notify "${method}";
