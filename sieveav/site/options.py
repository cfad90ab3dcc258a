"""options: the tables of the configuration file: which stanzas there are, what options each takes, what they become.

What is written here is all that `checking` knows of names and types; an engine's own options come with its `EngineType`
and an extension's with the extension. A stanza or value of the documents that does nothing yet is told from a mistake:
it "is not in this version" (`LATER_STANZAS`, `LATER_PHASES`, `Option.unless_default`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sieveav.language.problems import Span
from sieveav.limits import Limits
from sieveav.options import BOOLEAN, DIRECTORY, FILE, INTEGER, SECONDS, SIZE, TEXT, Option, ValueType, integer, one_of

if TYPE_CHECKING:
    from sieveav.scanning.contract import EngineType

NOT_YET = "not in this version"

TOP = ""
"""Where a stanza stands that stands in no other."""


class Named(StrEnum):
    """Whether a stanza has an instance name."""

    MUST = "must"
    MAY = "may"
    NEVER = "never"


@dataclass(frozen=True)
class Form:
    """What a kind of stanza looks like. `within` are the kinds that it may stand in; one place holds no two of the same
    kind and name, unless `many`."""

    kind: str
    meaning: str
    options: tuple[Option, ...]
    named: Named = Named.NEVER
    within: tuple[str, ...] = (TOP,)
    many: bool = False


# By the name of a kind, whoever declares it: how to see that what an option of the kind names is there.
_THERE: Mapping[str, Callable[[Path], bool]] = {"path": lambda _: True, "file": Path.is_file, "directory": Path.is_dir}


def located(value: Any, kind: ValueType, base: Path) -> Any:
    """`value`, but of a kind called path, file or directory the Path (or tuple of them) that it names, from `base` on.

    ValueError when no such file or directory is there.
    """
    is_there = _THERE.get(kind.name)
    if is_there is None:
        return value
    if isinstance(value, tuple):
        return tuple(located(one, kind, base) for one in value)
    path = base / value
    try:
        found = bool(value) and is_there(path)
    except (OSError, ValueError):  # a name too long, a folder that may not be read
        found = False
    if not found:
        raise ValueError(f'there is no {kind.name} "{path if value else value}"')
    return path


def _action(text: str) -> str:
    if text.lower() == "quarantine":
        raise ValueError("quarantine was removed in Momentum 3.1: write pass, and let a script decide")
    return str(_REJECT_OR_PASS.read(text))


def _variable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f'"{text}" is no name for a variable')
    return text


def _above_zero(text: str) -> float:
    seconds: float = SECONDS.read(text)
    if seconds <= 0:
        raise ValueError("the time must be more than 0 seconds")
    return seconds


_REJECT_OR_PASS = one_of("reject", "pass")
ACTION = ValueType(_REJECT_OR_PASS.name, _action)
VARIABLE = ValueType("name of a context variable", _variable)
DURATION = ValueType("time in seconds, more than 0", _above_zero)

# The options that a global engine stanza takes when the engine stands in an antivirus stanza as well.
GLOBAL = (
    Option("enabled", BOOLEAN, True, "false: the engine is passive, and scans only when a script asks"),
    Option("debug_level", INTEGER, 0, "how much is logged", NOT_YET),
)

# What every engine takes, and antivirus, whose values are its engines' defaults: Momentum's own names and defaults.
COMMON = (
    *GLOBAL,
    Option("action", ACTION, "pass", "reject: refuse what is infected or unscannable; pass: leave it to scripts"),
    Option("cache_size", integer(0, 1_000_000), 1000, "entries of the cache of verdicts; 0: no cache"),
    Option("context_variable", VARIABLE, None, "the variable that is set on a virus or an error (<engine>_status)"),
    Option("error_code", integer(400, 599), 451, "the SMTP code when scanning failed and action is reject"),
    Option("file_base", DIRECTORY, None, "where temporary files go"),
    Option("max_concurrency", integer(0, 10_000), 0, "scans at once; 0: as many as the pool has threads"),
    Option("mime_decompose", BOOLEAN, False, "scan the parts one by one, decoded; needs file_base"),
    Option("paranoid", BOOLEAN, False, "mail built to slip past scanners counts as a virus"),
    Option("pool", TEXT, "", "the thread pool that scans run in", NOT_YET),
    Option("skip_context_variable", TEXT, "skip_virus_check", "when this variable is set, nothing is scanned"),
    Option("timeout", DURATION, 10.0, "for connecting, sending, scanning, receiving and retries together"),
    Option("use_wire_rep", BOOLEAN, True, "false: scan with the edits of earlier scripts", NOT_YET),
)  # fmt: skip

_SIEVE = (
    Option("cache_size", INTEGER, 200, "compiled scripts kept", NOT_YET),
    Option("cache_life", SECONDS, 260.0, "seconds that a compiled script is kept", NOT_YET),
    Option("runtime_error", one_of("fail", "continue"), "fail", "what a script's fault does: 4xx, or nothing"),
)

_SIEVEAV = (
    Option("workers", INTEGER, 2, "processes that serve", NOT_YET),
    Option("user", TEXT, "sieveav", "who the server runs as", NOT_YET),
    Option("log", one_of("text", "json"), "text", "the form of log lines", NOT_YET),
    Option("mixed", one_of("bounce", "tempfail"), "bounce", "the reply when recipients disagree", NOT_YET),
)

_USERS = (
    Option("scripts", TEXT, "", "a user's own script: %u the address, %n its local part, %d its domain, %% a %"),
    Option("before", FILE, None, "the script that runs before every user's own"),
    Option("after", FILE, None, "the script that runs after every user's own"),
    Option("global", DIRECTORY, None, "the folder of the scripts that those of all users may include"),
)

_LIST = (Option("file", FILE, None, "its members, one on a line, at most 4 MiB; lines that begin with # do not count"),)

_USUAL = Limits()

LIMIT_OPTIONS = (
    Option("actions", integer(1, 10_000), _USUAL.actions, "actions of one recipient"),
    Option("redirects", integer(0, 1_000), _USUAL.redirects, "redirects of one recipient"),
    Option("steps", integer(1, 10**12), _USUAL.steps, "commands and tests that one script may take"),
    Option("wall_clock", DURATION, _USUAL.wall_clock, "time that one script may take, scanners aside"),
    Option("received", integer(1, 10_000), _USUAL.received, "Received fields before a redirect counts as a loop"),
    Option("edits", integer(0, 10_000), _USUAL.edits, "changes of the message by one script"),
    Option("rewritten", SIZE, _USUAL.rewritten, "octets of all messages that replace the message of one script"),
    Option("notes", integer(0, 100_000), _USUAL.notes, "lines that one script logs"),
    Option("records", integer(0, 10_000), _USUAL.records, "keys that one script remembers"),
)

FORMS = (
    Form("antivirus", "the framework that its engines run in", COMMON, Named.MUST),
    Form("sieve", "the site's scripts", _SIEVE, Named.MUST),
    Form("script", "a script of one phase, its name", (Option("source", FILE, None, "the script's file"),),
         Named.MUST, within=("sieve",), many=True),
    Form("sieveav", "the server", _SIEVEAV),
    Form("users", "the users' own scripts", _USERS),
    Form("limits", "what one run of a script may use", LIMIT_OPTIONS),
    Form("list", "an external list that scripts ask by its name, a URI or \":addrbook:default\"", _LIST, Named.MUST),
    Form("extension", "the settings of the extension of this name", (), Named.MUST),
)  # fmt: skip


def forms(engines: Mapping[str, EngineType]) -> dict[str, Form]:
    """Every kind of stanza of a site that has these engines, by name."""
    known = {form.kind: form for form in FORMS}
    for kind in engines.values():
        options = {option.name: option for option in COMMON}
        options["pool"] = replace(options["pool"], kind=ValueType("thread pool", str.upper), default=kind.pool.upper())
        options["context_variable"] = replace(options["context_variable"], default=f"{kind.name}_status")
        options |= {option.name: option for option in kind.options}
        known[kind.name.lower()] = Form(
            kind.name, kind.summary, tuple(options.values()), Named.MAY, within=(TOP, "antivirus")
        )
    return known


LATER_STANZAS = frozenset((
    "beik", "brightmail", "cloudmark", "commtouch_ctasd", "control", "csapi", "eleven", "lmtp", "metrics", "milter",
    "state", "threadpool",
))  # fmt: skip
"""Stanzas of the documents that this version knows by name only."""

PHASES = ("data_phase1", "data_phase2", "each_rcpt_phase1", "each_rcpt_phase2")
"""The phases that run scripts, in their order."""

LATER_PHASES = frozenset(
    phase + part
    for phase, part in product(
        ("connect", "ehlo", "mailfrom", "rcptto", "data", "spool", "each_rcpt"), ("", "_phase1", "_phase2")
    )
) - set(PHASES)  # fmt: skip
"""Phases of the documents that run no scripts yet."""


def _fatal(code: int) -> str:
    return f"{code} makes clients give up for good when a scan fails; 451 lets them try again" if code >= 500 else ""


WARNINGS: Mapping[str, Callable[[Any], str]] = {"error_code": _fatal}
"""By option: what there is to warn of in a value that is taken all the same, or ""."""


# What the stanzas become.


@dataclass(frozen=True)
class EngineSettings:
    """One engine of a framework. `active` is false for an engine that scans only when a script asks; `options` are the
    engine kind's own, all of them, for `EngineType.make`; `span` is where its kind is written."""

    kind: str
    instance: str
    active: bool
    action: str
    cache_size: int
    context_variable: str
    error_code: int
    file_base: Path | None
    max_concurrency: int
    mime_decompose: bool
    paranoid: bool
    skip_context_variable: str
    timeout: float
    options: Mapping[str, Any]
    span: Span


PLAIN = tuple(one.name for one in fields(EngineSettings) if one.name in {option.name for option in COMMON})
"""The settings that an engine has under the very names of the options."""


@dataclass(frozen=True)
class Framework:
    """An `antivirus` stanza and its engines in the file's order; a top-level engine of the older form is one too, named
    after its kind."""

    instance: str
    engines: tuple[EngineSettings, ...]


@dataclass(frozen=True)
class Users:
    """Where users' scripts are: `scripts` is a template (an absolute path; %u, %n, %d, %%) or ""; `shared` is the folder
    of those that all may include."""

    scripts: str = ""
    before: Path | None = None
    after: Path | None = None
    shared: Path | None = None


@dataclass(frozen=True)
class Settings:
    """What a configuration file says. `phases` has every phase that has scripts; `extensions` every extension that has
    a stanza, with all of its settings; `lists` the file of each external list, by its name, a URI."""

    frameworks: tuple[Framework, ...] = ()
    phases: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    runtime_error: str = "fail"
    users: Users = field(default_factory=Users)
    limits: Limits = field(default_factory=Limits)
    extensions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lists: Mapping[str, Path] = field(default_factory=dict)
