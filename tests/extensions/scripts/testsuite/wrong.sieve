require "fileinto";
fileinto "A";
unknown "x";
keep :frob;
