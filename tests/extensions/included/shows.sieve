require "include";
include "shown";
