require ["special-use", "variables", "envelope"];
if envelope :matches "from" "*@*" { set "use" "\\${1}"; }
if specialuse_exists ["\\Flagged", "${use}"] { discard; }
