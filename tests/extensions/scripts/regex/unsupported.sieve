require ["regex", "comparator-i;ascii-numeric", "comparator-i;unicode-casemap"];
if header :regex "x" "(a)\\1" { stop; }
if header :regex "x" "a(?=b)" { stop; }
if header :regex "x" "a(?!b)" { stop; }
if header :regex "x" "(?<=a)b" { stop; }
if header :regex "x" "(?<!a)b" { stop; }
if header :regex "x" "\\bword" { stop; }
if header :regex "x" "\\<word\\>" { stop; }
if header :regex "x" "\\d+" { stop; }
if header :regex "x" "\\n" { stop; }
if header :regex "x" ".*?" { stop; }
if header :regex "x" "(?:ab)" { stop; }
if header :regex "x" "(?i)ab" { stop; }
if header :regex "x" "(?P<name>ab)" { stop; }
if header :regex "x" "(?<name>ab)" { stop; }
if header :regex :comparator "i;ascii-numeric" "x" "1" { stop; }
if header :regex :comparator "i;unicode-casemap" "x" "a" { stop; }
