require "include";
include "breaks";
