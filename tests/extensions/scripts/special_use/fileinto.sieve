require ["special-use", "fileinto", "variables", "envelope"];
if envelope :matches "from" "*@*" { set "use" "\\${1}"; }
fileinto :specialuse "${use}" "INBOX";
