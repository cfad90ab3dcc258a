require ["include"];
include "replaces_within";
