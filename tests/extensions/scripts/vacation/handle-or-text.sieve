require "vacation";
if header :contains "subject" "lunch" {
    vacation :handle "away" "Here is a text";
} else {
    vacation "away";
}
