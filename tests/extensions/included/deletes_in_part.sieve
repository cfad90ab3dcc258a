require "editheader";
if header :contains "Content-Type" "html" { deleteheader "Content-Type"; }
