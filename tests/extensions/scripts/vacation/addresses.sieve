require "vacation";
vacation :addresses ["not an address", "bob@example.org"] "I'm away.";
