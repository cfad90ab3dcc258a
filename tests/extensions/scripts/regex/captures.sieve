require ["regex", "variables", "fileinto"];
if header :matches "Subject" "*" {
    set "pattern" "${1}";
}
if string :regex "baa" "${pattern}" { fileinto "${1}"; }
