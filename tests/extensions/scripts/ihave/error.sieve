require ["ihave", "fileinto"];
fileinto "Box";
error "it is über";
