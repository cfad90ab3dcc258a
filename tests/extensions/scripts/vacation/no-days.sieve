require "vacation";
vacation :days 0 "I'm away.";
