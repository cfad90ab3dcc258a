# Dave is away.
require ["vacation"];

vacation :days 7 :subject "I am away" "I will read your message next week.";
