require ["antivirus", "ec_action"];

# The words an engine can say, worst first: infected, suspicious, error, encrypted, macro, limits, unscannable, skipped,
# clean. Only the last lets mail in here; whatever is not named falls to the end, and there it is refused too.

if antivirus "clean" {
    keep;
} elsif antivirus ["infected", "suspicious"] {
    ec_action 550 "5.7.1 this message holds a virus" "virus:rejected";
} elsif antivirus ["error", "skipped"] {
    ec_action 451 "4.7.1 this message cannot be checked now" "virus:error";
} else {
    ec_action 550 "5.7.1 this message holds what cannot be checked" "virus:unscannable";
}
