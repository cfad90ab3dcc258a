require "include";
include :optional "missing"; include :optional "nothing";
