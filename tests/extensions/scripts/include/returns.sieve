require ["include", "fileinto"];
if true {
    fileinto "Before";
    return;
}
fileinto "After";
