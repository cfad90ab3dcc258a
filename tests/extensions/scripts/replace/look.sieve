require ["mime", "body"];
if allof (body :text :contains "removed", not header :mime :anychild "X-Part" "virus") { discard; }
