require "vacation";
vacation :days 3 "I'm away.";
