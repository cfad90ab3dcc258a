"""av: scans for Python programs, in the shape of Momentum's Lua functions `msys.av.engines`, `scan` and `scan_part`.

    av = sieveav.Antivirus(sieveav.load("site.conf"))
    status, info, engine, code = av.scan(message=raw)
    if status is av.Status.INFECTED:
        print(info, "by", engine)

A program that needs an engine's whole verdict uses `sieveav.scan`.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from enum import Enum
from typing import NamedTuple

from sieveav.mime import Part
from sieveav.scanning.contract import Content, Deadline
from sieveav.site.scans import Scanner
from sieveav.site.site import Site, embedded
from sieveav.verdict import FOUND, UNSCANNABLE, Status, Verdict, worst

LONGEST_NAME = 40
"""Characters of an engine's name."""

Context = MutableMapping[str, str]


class AvStatus(Enum):
    """What a scan gives. All but SKIPPED are Momentum's."""

    PART_IS_CONTAINER = "part is a container"
    """The part is a multipart or a message: scan the parts in it."""
    NAME_TOO_LONG = "name too long"
    """The name of the engine has more than LONGEST_NAME characters."""
    NO_ENGINE = "no engine"
    """There is no engine of this name, or none at all."""
    NOT_SUITABLE_FOR_STREAMING = "not suitable for streaming"
    """There is no message to scan."""
    ERROR = "error"
    """An engine could not scan; the reason is in `info`."""
    CLEAN = "clean"
    INFECTED = "infected"
    """Infected or suspicious; the name of the virus is in `info`."""
    UNSCANNABLE = "unscannable"
    """Encrypted, with macros, beyond a limit, or broken; the reason is in `info`."""
    SKIPPED = "skipped"
    """Not scanned, because the context has the variable that says so."""


_MEANING = {
    **dict.fromkeys(FOUND, AvStatus.INFECTED),
    **dict.fromkeys(UNSCANNABLE, AvStatus.UNSCANNABLE),
    Status.ERROR: AvStatus.ERROR,
    Status.CLEAN: AvStatus.CLEAN,
    Status.SKIPPED: AvStatus.SKIPPED,
}


class AvResult(NamedTuple):
    """The status, the name of the virus or the reason, the engine that says so (None if none was asked) and the engine's own
    scan code (None if it has none)."""

    status: AvStatus
    info: str = ""
    engine: str | None = None
    code: int | None = None


class Antivirus:
    """The engines of `site` (by default the engine yara alone). `message` is what is scanned where no other is given. Safe to
    use from several threads."""

    Status = AvStatus

    def __init__(self, site: Site | None = None, message: bytes | None = None) -> None:
        self._site = site or embedded()
        self._message = message

    def engines(self) -> tuple[str, ...]:
        """The names of the engines, in the order of the configuration."""
        return self._site.engines

    def scan(self, engine: str | None = None, message: bytes | None = None, context: Context | None = None) -> AvResult:
        """Scan a message (dot-unstuffed) with the engine of this name, or with one engine after the other up to the first that
        finds a virus: then the worst result counts.

        An engine that `context` says to skip is not asked; the context variables that a scan sets are set there. A fault
        of an engine is a result, not an exception.
        """
        raw = self._message if message is None else message
        if raw is None:
            return AvResult(AvStatus.NOT_SUITABLE_FOR_STREAMING, "there is no message")
        return self._scan(engine, (Content(raw),), {} if context is None else context)

    def scan_part(self, part: Part, engine: str | None = None, context: Context | None = None) -> AvResult:
        """Scan a part (`sieveav.mime.parse` gives those of a message), decoded, as `scan` does. No variables are set.

        Where mail clients decode it in several ways, each is scanned, and a virus in any of them counts.
        """
        if part.parts:
            return AvResult(AvStatus.PART_IS_CONTAINER, part.content_type)
        contents = (Content(octets, is_message=False) for octets in part.readings())
        return self._scan(engine, contents, dict(context or {}))

    def _scan(self, engine: str | None, contents: Iterable[Content], context: Context) -> AvResult:
        if engine is not None and len(engine) > LONGEST_NAME:
            return AvResult(AvStatus.NAME_TOO_LONG, f"more than {LONGEST_NAME} characters")
        scanners = [each for each in self._site.scanners if engine is None or each.name.lower() == engine.lower()]
        if not scanners:
            return AvResult(AvStatus.NO_ENGINE, f"the engines are {', '.join(self.engines())}")
        verdicts: list[Verdict] = []
        for number, content in enumerate(contents):
            for scanner in scanners:
                verdict = _verdict(scanner, content, context)
                if number == 0 or verdict.status is not Status.UNSCANNABLE:
                    verdicts.append(verdict)
                if verdict.status in FOUND:
                    return _result(verdict)
        return _result(worst(verdicts))


def _result(verdict: Verdict) -> AvResult:
    return AvResult(_MEANING[verdict.status], verdict.info, verdict.engine, verdict.code)


def _verdict(scanner: Scanner, content: Content, context: Context) -> Verdict:
    skip = scanner.settings.skip_context_variable
    if skip and skip in context:
        return Verdict(scanner.name, Status.SKIPPED, f"{skip} is set")
    verdict = scanner.engine.scan(content, Deadline.after(scanner.settings.timeout))
    context.update(scanner.engine.variables(verdict))
    return verdict
