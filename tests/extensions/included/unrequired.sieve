keep;
fileinto "Folder";
