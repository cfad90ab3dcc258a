require ["envelope", "subaddress", "fileinto"]; if envelope :detail "to" "x" { discard; }
