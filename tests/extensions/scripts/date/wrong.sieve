require ["date", "index", "mime"];
if date "date" "months" "01" { stop; }
if currentdate "" "01" { stop; }
if date :zone "CET" "date" "hour" "01" { stop; }
if currentdate :zone "" "hour" "01" { stop; }
if date :zone "+0160" "date" "hour" "01" { stop; }
if date :zone "+0100" :originalzone "date" "hour" "01" { stop; }
if currentdate :originalzone "hour" "01" { stop; }
if date :last "date" "hour" "01" { stop; }
if currentdate :index 1 "hour" "01" { stop; }
if date ["date", "received"] "hour" "01" { stop; }
if date "date" "hour" { stop; }
if currentdate "hour" { stop; }
if date :mime "date" "hour" "01" { stop; }
