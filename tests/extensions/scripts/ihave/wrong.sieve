require ["ihave", "variables"];
set "x" "copy";
if ihave "${x}" { keep; }
if ihave { keep; }
if ihave "fileinto" { fileinto; }
