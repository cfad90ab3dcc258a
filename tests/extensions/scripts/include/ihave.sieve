require ["include", "ihave"];
if ihave "fileinto" { include "asks"; }
