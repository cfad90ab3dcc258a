if date "date" "hour" "01" { stop; }
if currentdate "hour" "01" { stop; }
