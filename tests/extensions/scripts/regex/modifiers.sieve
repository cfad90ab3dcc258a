require ["variables", "regex"];
set :quotewildcard :quoteregex "x" "a";
