require "vacation";
vacation "I'm away.";
vacation "I'm still away.";
