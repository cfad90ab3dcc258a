require "enotify";

notify :message "after" "mailto:a@example.com,b@example.com";
