require "vacation-seconds";
vacation :seconds 2147483648 "I'm away.";
