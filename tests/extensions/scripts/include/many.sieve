require ["include", "variables"];
include "nothing"; include "nothing"; include "nothing"; include "count";
