require ["antivirus", "fileinto", "imap4flags"];

# Carol wants to see everything, but not among her mail.

if antivirus "error" {
    keep :flags "$Unchecked";
} elsif not antivirus "clean" {
    fileinto "Junk";
}
