require ["include", "fileinto"];
return;
fileinto "After";
