require "include";
include "includes_missing";
