require "reject";
if header :contains "Content-Type" "text/html" { reject "No HTML"; }
