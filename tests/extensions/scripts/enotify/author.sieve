require ["enotify", "variables"];

set "author" "nobody";
notify :from "${author}" "mailto:a@example.com";
