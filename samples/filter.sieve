require ["fileinto", "envelope", "imap4flags", "mailbox", "relational", "comparator-i;ascii-numeric",
         "subaddress", "variables", "antivirus"];

# What one person's filter looks like: no engine is asked before the cheap tests have said all they can.

# Lists go where they belong.
if header :matches "List-Id" "*<*.example.org>" {
    fileinto :create "lists/${2}";
    stop;
}

# alice+shop@example.com
if envelope :detail "to" ["shop", "shops"] {
    fileinto :flags "\\Seen" "Shopping";
    stop;
}

# Mail to half the company is seldom for me.
if address :count "gt" :comparator "i;ascii-numeric" ["to", "cc"] "20" {
    addflag "$Bulk";
}

# The scan comes last: the rules above cost nothing.
if antivirus "error" {
    addflag "$Unchecked";
} elsif not antivirus "clean" {
    fileinto "Junk";
    stop;
}
