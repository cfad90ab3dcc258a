require ["include", "foreverypart"];
foreverypart { include "deletes_in_part"; }
