require ["extlists", "envelope", "subaddress"];
# RFC 6134: what members send goes to all members, the rest to the owner
if envelope :detail "to" "mylist" {
    if header :list "from" "tag:example.com,2010-05-28:mylist" {
        redirect :list "tag:example.com,2010-05-28:mylist";
    } else {
        redirect "owner@example.com";
    }
}
