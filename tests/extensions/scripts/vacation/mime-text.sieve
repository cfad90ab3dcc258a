require "vacation";
vacation :mime "I'm away.";
