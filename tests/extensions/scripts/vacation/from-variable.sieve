require ["vacation", "variables"];
set "from" "nobody";
vacation :from "${from}" "I'm away.";
