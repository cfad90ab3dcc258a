require "duplicate";
if duplicate :seconds 100 { discard; }
