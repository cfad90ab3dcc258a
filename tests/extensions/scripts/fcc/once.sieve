require ["vacation", "fcc"];
vacation :fcc "Once" "I'm away.";
