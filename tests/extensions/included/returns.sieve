require ["include", "variables", "fileinto"];
set "global.returned" "${global.returned}a";
if true { if true { return; } }
fileinto "Not reached";
