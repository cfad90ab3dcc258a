require "enotify";

notify :message "before" "mailto:a@example.com";
