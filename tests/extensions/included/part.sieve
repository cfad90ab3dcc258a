require ["include", "variables", "body", "mime"];
if header :matches "Content-Type" "*;*" { set "global.types" "${global.types} ${1}"; }
elsif header :matches "Content-Type" "*" { set "global.types" "${global.types} ${1}"; }
if header :contains "Subject" "Whole" { set "global.whole" "${global.whole}w"; }
if header :mime :contains "Content-Type" "html" { set "global.html" "mime"; }
if body :raw :contains "Not to be seen" { set "global.seen" "${global.seen}b"; }
if body :content "text/html" :contains "<b>" { set "global.bold" "${global.bold}b"; }
if size :under 60 { set "global.small" "${global.small}s"; }
