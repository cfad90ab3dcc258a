require ["include", "fileinto"];
fileinto "Before";
include "stops";
fileinto "After";
