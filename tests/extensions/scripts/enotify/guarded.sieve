require "enotify";

if valid_notify_method "xmpp:tim@example.com" {
    notify "xmpp:tim@example.com";
} else {
    notify "mailto:tim@example.com";
}
