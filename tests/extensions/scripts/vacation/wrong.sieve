require "vacation";
vacation;
vacation :days "1" "x";
vacation :subject 5 "x";
vacation :handle ["a", "b"] "x";
vacation "x" "y";
vacation :subject "a" :subject "b" "x";
vacation "x" :days 1;
vacation :copy "x";
if vacation "x" { stop; }
