require "include";
include "nothing"; include "misspelt";
