require ["ihave", "fileinto"];
if header :frobnicate "subject" "x" { discard; }
