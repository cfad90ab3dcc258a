# Carol files what a list sends, and lets her colleague have a copy of what is urgent.
require ["fileinto", "mailbox", "copy"];

if header :contains "Subject" "urgent" {
    redirect :copy "colleague@example.net";
}
if exists "List-Id" {
    fileinto :create "Lists";
}
