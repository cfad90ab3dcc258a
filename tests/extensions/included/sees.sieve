require ["include", "variables"];
if header "X-Scanned" "yes" { set "global.sees" "${global.sees}y"; } else { set "global.sees" "${global.sees}n"; }
