"""users: the scripts of users, and the site's scripts that run before and after them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sieveav.language.problems import Source, Span
from sieveav.options import DIRECTORY, FILE, TEXT, Option
from sieveav.site.stanza import Building, Placed, StanzaType
from sieveav.site.users import ACTIVE, Users

_TEMPLATES = ("scripts", "folder")


def _build(stanzas: Sequence[Placed], building: Building) -> Users:
    if not stanzas:
        return Users()
    users = stanzas[0]
    for name in _TEMPLATES:
        if name in users.written:
            for span, mark in _wrong_marks(building.source, users.written[name].span):
                building.report.error("value-invalid", f"{mark} is not a mark", span, "the marks are %u, %n, %d and %%")
    if all(users.value(name) for name in _TEMPLATES):
        span = users.written["folder"].name_span
        building.report.error("option-conflict", "folder is written beside scripts", span, "write one of both")
    scripts, folder = (_absolute(users.value(name), building.base) for name in _TEMPLATES)
    return Users(scripts, folder, users.value("before"), users.value("after"), users.value("global"))


def _absolute(template: str, base: Path) -> str:
    """A template, with `base` as the folder of a relative one. The folder's own per cent signs are not marks."""
    return str(Path(str(base).replace("%", "%%")) / template) if template else ""


def _wrong_marks(source: Source, span: Span) -> Iterator[tuple[Span, str]]:
    """The marks in the value at `span` that are not %u, %n, %d or %%."""
    for mark in re.finditer(r'%([^"]?)', source.text[span.start : span.end]):
        if mark[1] not in ("u", "n", "d", "%"):
            yield Span(span.start + mark.start(), span.start + mark.end()), mark[0]


USERS = StanzaType(
    "users",
    "the users' own scripts",
    (
        Option("scripts", TEXT, "", "path of a user's script: %u is the address, %n its local part, %d its domain, %% a %"),
        Option("folder", TEXT, "", f"folder of a user's scripts, with the same marks; the link {ACTIVE} names the active one"),
        Option("before", FILE, None, "the script that runs before every user's own"),
        Option("after", FILE, None, "the script that runs after every user's own"),
        Option("global", DIRECTORY, None, "the folder of the scripts that every user's scripts may include"),
    ),
    build=_build,
)  # fmt: skip
