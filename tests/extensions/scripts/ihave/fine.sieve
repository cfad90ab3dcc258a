require ["ihave", "fileinto"];
if ihave ["copy", "imap4flags"] {
    addflag "\\Seen";
    fileinto :copy "Box";
} else {
    discard;
}
keep;
