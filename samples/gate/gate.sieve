require ["antivirus", "ec_action"];

# What an engine can report, worst first: infected, suspicious, error, encrypted, macro, limits, unscannable, skipped, clean.
# Only clean mail is accepted here; whatever is not named reaches the else branch, which refuses it too.

if antivirus "clean" {
    keep;
} elsif antivirus ["infected", "suspicious"] {
    ec_action 550 "5.7.1 this message contains a virus" "virus:rejected";
} elsif antivirus ["error", "skipped"] {
    ec_action 451 "4.7.1 this message could not be scanned at this time" "virus:error";
} else {
    ec_action 550 "5.7.1 this message contains content that could not be scanned" "virus:unscannable";
}
