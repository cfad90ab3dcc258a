require "include";
if true {
    include "ping";
}
