require "include";
include "flags";
