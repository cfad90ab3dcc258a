require ["include"];
include "main_again";
