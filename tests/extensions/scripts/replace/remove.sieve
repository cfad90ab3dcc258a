require ["replace", "foreverypart", "mime"];
foreverypart {
    if header :mime "X-Part" "virus" { replace "removed"; }
}
