require ["editheader", "variables"];
if header :matches "subject" "*" { addheader "${1}" "value"; }
