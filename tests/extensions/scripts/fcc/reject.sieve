require ["vacation", "fcc", "reject"];
vacation :fcc "Fault" "x";
reject "no";
