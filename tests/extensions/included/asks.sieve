require "ihave";
if false { if ihave "fileinto" { keep; } }
fileinto "Folder";
