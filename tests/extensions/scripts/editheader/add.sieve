require "editheader"; addheader "X-Seen" "here";
