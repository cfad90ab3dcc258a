require "include";
include "misspelt";
