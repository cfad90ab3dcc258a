require ["regex", "variables"];
if header :matches "Subject" "*" {
    set "pattern" "${1}";
}
if header :regex "Subject" "none" { stop; }
if string :regex "aaa" ["none", "${pattern}"] { discard; }
