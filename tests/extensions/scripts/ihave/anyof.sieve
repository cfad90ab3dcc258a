require "ihave";
if allof (ihave "vnd.example.no", frobnicate "x") { discard; }
elsif anyof (not ihave "vnd.example.no", frobnicate "x") { if ihave "fileinto" { fileinto "Box"; } }
