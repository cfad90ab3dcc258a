require "enclose";
enclose :subject "x";
