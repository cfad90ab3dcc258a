require "vacation";
vacation :seconds 1 "I'm away.";
