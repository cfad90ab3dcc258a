require ["antivirus", "ec_action", "variables", "vctx", "fileinto"];

if antivirus ["infected", "suspicious"] {
    ec_action 550 "5.7.1 held: ${vctx.yara_status_info}" "virus:rejected";
} elsif antivirus "error" {
    ec_action 451 "4.7.1 cannot be checked now" "virus:error";
} elsif not antivirus "clean" {
    fileinto "Suspicious";
}
