require ["enotify", "variables"];

set "importance" "0";
notify :importance "${importance}" "mailto:a@example.com";
