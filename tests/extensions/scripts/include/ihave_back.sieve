require ["include", "ihave"];
include "enables";
if false { if ihave "fileinto" { keep; } }
fileinto "Folder";
