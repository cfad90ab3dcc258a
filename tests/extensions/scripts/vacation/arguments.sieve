require "vacation";
if header "subject" "one" { vacation :subject "a" "c"; }
if header "subject" "two" { vacation :from "a@example.com" "c"; }
if header "subject" "three" { vacation "c"; }
if header "subject" "four" { vacation :subject "c" "a"; }
if header "subject" "five" { vacation :mime "

c"; }
if header "subject" "six" { vacation "

c"; }
if header "subject" "seven" { vacation :days 3 :addresses "x@example.com" "c"; }
