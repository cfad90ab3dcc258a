require ["replace", "variables", "fileinto"];
replace "removed";
set "box" "";
fileinto "${box}";
