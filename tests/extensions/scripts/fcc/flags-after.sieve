require ["vacation", "fcc"];
vacation :fcc "Sent" "x";
