require ["date", "variables"];
set "zone" "+0100";
set "part" "hour";
if header "Subject" "zone" { set "zone" "Europe/Berlin"; }
if header "Subject" "part" { set "part" "century"; }
if date :zone "${zone}" "Date" "${part}" "01" { discard; }
if currentdate :zone "${zone}" "${part}" "01" { keep; }
