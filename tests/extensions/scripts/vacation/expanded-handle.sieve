require ["vacation", "variables"];
if header :matches "subject" "*" {
    vacation :handle "${1}" "${1}";
}
