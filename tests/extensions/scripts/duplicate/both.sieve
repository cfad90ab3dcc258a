require "duplicate";
if duplicate :header "subject" :uniqueid "x" { discard; }
if duplicate :uniqueid "x" :header "subject" { discard; }
