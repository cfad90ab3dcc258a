"""api: what a Python program asks of sieveav in one call: check a script, scan a message."""

from __future__ import annotations

from collections.abc import Iterable

from sieveav.language import checking
from sieveav.language.checking import Checked
from sieveav.site.scripts import dialect_of
from sieveav.site.site import Site, embedded
from sieveav.verdict import Verdict


def check(
    script: bytes | str, path: str = "script.sieve", *, phase: str = "each_rcpt", site: Site | None = None
) -> Checked:
    """Check a script for a phase of SMTP, with the words of `site`. `path` is its name in problems; its suffix says the
    dialect. The result has the `problems`, and the `program` that can be run, None if a problem is an error."""
    raw = script.encode() if isinstance(script, str) else script
    return checking.check(raw, path, (site or embedded()).vocabulary(phase, dialect_of(path)))


def scan(message: bytes, *, site: Site | None = None, engines: Iterable[str] = ()) -> list[Verdict]:
    """Scan a message with the engines of `site` that are named, or with all; their verdicts, in the site's order. A fault of an
    engine is a verdict too. ValueError for a name that is not one of the site's engines."""
    from sieveav.scanning.contract import Content, Deadline  # only for a program that scans

    site = site or embedded()
    names = set(engines)
    unknown = sorted(names - {*site.engines})
    if unknown:
        raise ValueError(f"unknown engine {unknown[0]}; the site's engines are {', '.join(site.engines)}")
    content = Content(message)
    scanners = [scanner for scanner in site.scanners if not names or scanner.name in names]
    return [scanner.engine.scan(content, Deadline.after(scanner.settings.timeout)) for scanner in scanners]
