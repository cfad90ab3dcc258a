require "include";
include "unrequired";
