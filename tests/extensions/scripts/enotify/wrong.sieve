require "enotify";

notify;
notify ["mailto:a@example.com"];
notify "a@example.com";
notify "mailto:a";
notify "mailto:a@example.com?subject=a b";
notify "mailto:a@example.com?subject";
notify "mailto:a@example.com?subject=%zz";
notify :importance "4" "mailto:a@example.com";
notify :importance 1 "mailto:a@example.com";
notify :options ["a=b", "c"] "mailto:a@example.com";
notify :from "a" "mailto:a@example.com";
notify :from "a@example.com, b@example.com" "mailto:a@example.com";
notify :message "a" :message "b" "mailto:a@example.com";
if valid_notify_method { keep; }
if notify_method_capability "mailto:a@example.com" "online" { keep; }
