require ["extlists", "variables"];
if header :matches "subject" "*" { redirect :list "${1}"; }
