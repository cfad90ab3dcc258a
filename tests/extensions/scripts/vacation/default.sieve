require "vacation";
vacation "I'm away.";
