require "include";
include "asks";
