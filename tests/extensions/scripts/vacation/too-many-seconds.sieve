require "vacation-seconds";
vacation :seconds 2147483649 "I'm away.";
