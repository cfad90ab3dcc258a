require ["extlists", "variables"];
set "list" "${subject}";
if header :matches "subject" "*" { set "list" "${1}"; }
if header :list "subject" "${list}" { discard; }
