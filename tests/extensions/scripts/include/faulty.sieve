require "include";
keep; include "faulty";
