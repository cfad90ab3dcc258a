require ["duplicate", "index", "mime"];
if duplicate "x" { discard; }
if duplicate :handle { discard; }
if duplicate :seconds "60" { discard; }
if duplicate :index 1 { discard; }
if duplicate :mime { discard; }
if duplicate :handle "a" :handle "b" { discard; }
if duplicate :header ["a", "b"] { discard; }
duplicate;
