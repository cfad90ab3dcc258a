require ["include", "variables", "mime"];
if header :mime :contenttype :matches "Content-Type" "*" { set "global.shown" "${0}"; }
if not header :contains "Content-Type" "${global.shown}" { set "global.shown" "two"; }
