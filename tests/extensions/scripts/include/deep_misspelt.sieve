require "include";
include "includes_misspelt";
