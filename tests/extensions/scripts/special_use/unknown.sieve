require "fileinto";
if specialuse_exists "\\Junk" { keep; }
fileinto :specialuse "\\Junk" "a";
