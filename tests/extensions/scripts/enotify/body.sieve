require ["enotify", "variables"];

if header :matches "subject" "*" { set "subject" "${1}"; }
notify "mailto:tim@example.com?body=${subject}";
