require ["vacation", "variables"];
set "text" "I'm away.";
vacation :mime "${text}";
