require "duplicate";
if allof (false, duplicate) { discard; }
if anyof (true, duplicate) { keep; }
if false { if duplicate { discard; } }
