require ["vacation", "fcc", "fileinto"];
vacation :fcc "x";
vacation :fcc "" "x";
vacation :fcc "a" :fcc "b" "x";
fileinto :fcc "a" "b";
redirect :fcc "a" "b@example.com";
vacation :fcc ["a", "b"] "x";
