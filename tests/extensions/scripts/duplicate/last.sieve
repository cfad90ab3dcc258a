require "duplicate";
if duplicate :last :seconds 100 { discard; }
