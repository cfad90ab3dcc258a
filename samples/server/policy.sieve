# For every message, before the scripts of its recipients. Nothing is accepted that is infected or that no engine has seen.
require ["antivirus", "ec_action", "vctx", "variables", "editheader"];

if antivirus ["infected", "suspicious"] {
    ec_action 550 "5.7.1 This message contains a virus";
}
if antivirus "error" {
    ec_action 451 "4.7.1 This message cannot be scanned at this time, please try again later";
}
if not antivirus "clean" {
    ec_action 550 "5.7.1 This message contains content that cannot be scanned";
}
deleteheader "X-Virus-Scanned";
addheader "X-Virus-Scanned" "by sieveav";
