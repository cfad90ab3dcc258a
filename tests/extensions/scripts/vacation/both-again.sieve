require "vacation-seconds";
vacation :seconds 1 :days 1 "I'm away.";
