require ["include", "foreverypart", "fileinto"];
foreverypart { fileinto "Loop"; include "stops"; }
fileinto "After";
