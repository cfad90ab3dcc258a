require ["include", "variables", "foreverypart", "mime"];
foreverypart {
    if header :mime :contenttype :matches "Content-Type" "*" { set "global.inner" "${global.inner}${0} "; }
}
