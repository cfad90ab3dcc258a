require "ihave";
if false { if ihave "fileinto" { stop; } }
fileinto "Box";
