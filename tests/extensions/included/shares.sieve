require ["include", "variables"];
global ["Color", "SHAPE"];
set "color" "${color} and green";
set "shape" "round";
