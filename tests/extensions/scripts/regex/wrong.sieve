require "regex";
if header :regex "x" "a**b" { stop; }
if header :regex "x" ["ok", "+a"] { stop; }
if header :regex "x" "a(|*)" { stop; }
if header :regex "x" "()(b" { stop; }
if header :regex "x" "a)" { stop; }
if header :regex "x" "a[b" { stop; }
if header :regex "x" "[xz-a]" { stop; }
if header :regex "x" "[[:word:]]" { stop; }
if header :regex "x" "a\\" { stop; }
if header :regex "x" "a{3,2}" { stop; }
if header :regex "x" "a{,2}" { stop; }
if header :regex "x" "a{1001}" { stop; }
if header :regex "x" "((a{30}){30}){30}" { stop; }
if header :regex "x" "[[:alpha]" { stop; }
if header :regex "x" "[[.ch.]]" { stop; }
if header :regex "x" "[a-m-z]" { stop; }
if header :regex "x" "[[:digit:]-z]" { stop; }
