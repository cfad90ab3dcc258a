require ["variables", "envelope", "duplicate", "fileinto", "mailbox"];

# RFC 7352, 5.3, with a mailbox in the place of the notification
if envelope :matches "from" "*" { set "sender" "${1}"; }
if header :matches "subject" "*" { set "subject" "${1}"; }

# account for 'Re:' prefix
if string :comparator "i;ascii-casemap"
  :matches "${subject}" "Re:*"
{
  set "subject" "${1}";
}
if not duplicate :seconds 1800
  :uniqueid "${sender} ${subject}"
{
  fileinto :create "Notified";
}
