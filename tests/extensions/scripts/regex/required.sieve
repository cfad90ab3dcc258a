require "variables";
if header :regex "x" "a" { stop; }
set :quoteregex "x" "a";
