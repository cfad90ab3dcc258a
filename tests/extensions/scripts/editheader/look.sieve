if header "X-Seen" "here" { discard; }
