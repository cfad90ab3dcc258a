require "vacation";
vacation :from "nobody" "I'm away.";
