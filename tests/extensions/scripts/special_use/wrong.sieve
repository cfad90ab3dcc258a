require ["special-use", "fileinto", "vacation", "fcc"];
if specialuse_exists "Junk" ["\\Junk", "\\Se(nt"] { keep; }
if specialuse_exists "Junk" { keep; }
if specialuse_exists { keep; }
if specialuse_exists ["Junk", "Spam"] "\\Junk" { keep; }
fileinto :specialuse "" "a";
fileinto :specialuse "\\" "a";
fileinto :specialuse "\\Ju nk" "a";
fileinto :specialuse ["\\Junk"] "a";
fileinto :specialuse "\\Junk";
keep :specialuse "\\Junk";
vacation :specialuse "\\Sent" "x";
