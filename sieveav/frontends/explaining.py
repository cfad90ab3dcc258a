"""explaining: a name to everything of that name that is installed: extensions, words, tags, engines, stanzas, options.

The reference of the language comes from the classes that define it, that of the configuration from its stanzas. The tables here
are for what is not declared elsewhere, such as the phases.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from sieveav.frontends.entries import Entry, option_json
from sieveav.frontends.showing import summary
from sieveav.language.extension import Declared, Extension
from sieveav.language.grammar import Field, Shape, grammar_of
from sieveav.language.problems import did_you_mean
from sieveav.language.rules import RULES as CHECKER_RULES
from sieveav.lint.rule import RULES
from sieveav.plugins import identifier
from sieveav.running.base import base
from sieveav.scanning.contract import ENGINES, WORDS, EngineType
from sieveav.scanning.settings import EngineSettings
from sieveav.site.library import DOCUMENTED, Library
from sieveav.site.rules import RULES as SITE_RULES
from sieveav.site.stanza import Building, StanzaType
from sieveav.verdict import Status, Verdict

STATUSES: Mapping[Status, str] = {
    Status.INFECTED: "contains malware (context variable: virus)",
    Status.SUSPICIOUS: "may be malware: a heuristic, or an unwanted kind of content (context variable: virus)",
    Status.ERROR: "was not scanned: the engine failed or did not answer in time (context variable: error)",
    Status.ENCRYPTED: "contains what cannot be read without a password (context variable: unscannable)",
    Status.MACRO: "contains a document with macros (context variable: unscannable)",
    Status.LIMITS: "is larger, or nested deeper, than the engine scans (context variable: unscannable)",
    Status.UNSCANNABLE: "cannot be opened, or mail clients may read it differently (context variable: unscannable)",
    Status.SKIPPED: "was not scanned, because the variable named by skip_context_variable is set",
    Status.CLEAN: "was scanned completely, and nothing was found (no context variable is set)",
}
"""What the verdict of an engine, and of the merged verdict, means; worst first."""

PHASES: Mapping[str, str] = {
    "connect": "a client has connected",
    "ehlo": "the client has sent HELO or EHLO",
    "mailfrom": "for each message, when its sender is there",
    "rcptto": "for each recipient that the client names",
    "data": "for the message, before any recipient's script: no mailbox can be used yet",
    "spool": "for the message, after data",
    "each_rcpt": "for each recipient: where users' own scripts run, between those of phase1 and phase2",
    "imap": "an event of IMAP (RFC 6785)",
}
"""The phases in which scripts run, in their order. A site's script is for one of the two parts of a phase."""

VARIABLES: Mapping[str, str] = {
    "{}_status": "the result of a scan by {}: virus, unscannable or error; not set if the message is clean",
    "{}_status_info": "the name of the virus that {} reports; for an error, the word error: and the reason",
    "{}_status_class": "the status of the verdict of {}, such as encrypted",
    "{}_info": "the same as {}_status_info",
}
"""The context variables that the engine `{}` sets if its option `context_variable` is not set."""

CONTROL: Mapping[str, tuple[str, str, str]] = {
    "require": (
        "require <capabilities: string-list>",
        "RFC 5228, 3.2",
        "Use extensions. It must come before all other commands.",
    ),
    "elsif": (
        "if <test> { ... } elsif <test> { ... }",
        "RFC 5228, 3.1",
        "The block runs if its test is true and all tests before it in the same if were false.",
    ),
    "else": ("if <test> { ... } else { ... }", "RFC 5228, 3.1", "The block runs if all tests of the if were false."),
}
"""Control commands that the grammar itself knows: usage, source, meaning."""

SCHEMA = "json"
"""The name of the JSON Schema of all output."""


def explain(name: str) -> list[Entry]:
    """Everything that is called `name`, in any case; empty if nothing is."""
    wanted = name.lower()
    entries = [
        *_lists(wanted),
        *_of_language(wanted),
        *_of_scanning(wanted),
        *_of_configuration(wanted),
    ]
    if not entries and wanted in DOCUMENTED:
        entries = [Entry("extension", wanted, text="This extension is not in this version.")]
    return entries


# ---- what there is


@cache
def library() -> Library:
    """All extensions that are installed."""
    return Library()


@cache
def stanzas() -> dict[str, StanzaType[Any]]:
    """All types of stanza that are installed, by name."""
    from sieveav.site.settings import stanza_types

    return stanza_types(Building(engines=ENGINES.everything(), library=library()))


def extensions() -> list[dict[str, Any]]:
    """Every extension: its capability, where it is specified, a sentence; last those that are not in this version."""
    installed = library().everything()
    rows = [
        {"name": e.name, "source": e.source, "summary": of_extension(e), "installed": True} for e in installed.values()
    ]
    missing = sorted(DOCUMENTED - {name.lower() for name in installed})
    return [*rows, *({"name": name, "source": "", "summary": "", "installed": False} for name in missing)]


def of_extension(extension: Extension) -> str:
    """The first sentence of the docstring of an extension's file, without the name that it begins with and the standard that it
    ends with."""
    text = summary(sys.modules[extension.module].__doc__)
    return re.sub(r" \([^()]*\)\.?$", "", text.partition(": ")[2] or text)


def engines() -> list[dict[str, Any]]:
    """Every type of engine: its name, a sentence, its pool, its action, the variables that its scans set (with the words of the
    status), and the options that only it has."""
    return [
        {
            "name": kind.name,
            "summary": kind.summary,
            "pool": kind.pool,
            "action": kind.action.replace("{}", identifier(kind.name)),
            "sets": [
                f"{name} ({', '.join(dict.fromkeys(WORDS.values()))})" if name == f"{kind.name}_status" else name
                for name, _ in _variables(kind)
            ],
            "options": [option_json(o) for o in kind.options],
        }
        for kind in ENGINES.everything().values()
    ]


def names() -> list[str]:
    """All that can be explained, sorted; for completion and typing mistakes."""
    words = {name for extension in _all_extensions() for declared in extension.declared for name in _names(declared)}
    tags = {field.tag for _, field in _tagged()}
    settings = {name for extension in _all_extensions() for name in extension.settings}
    options = {option.name for stanza in stanzas().values() for option in stanza.options}
    variables = {name for engine in ENGINES.everything().values() for name, _ in _variables(engine)}
    parts = {f"{phase}_{part}" for phase in PHASES for part in ("phase1", "phase2")}
    tables = {*map(str, STATUSES), *PHASES, *parts, *CONTROL, *_rules(), *LISTS, SCHEMA}
    return sorted({*words, *tags, *settings, *library().everything(), *stanzas(), *options, *variables, *tables})


def unknown(name: str) -> str:
    """What to report if nothing is called `name`."""
    lists = f"lists: sieveav extensions, sieveav engines, sieveav explain {' | '.join(LISTS)}"
    return f'nothing is called "{name}"; {did_you_mean(name, names()) or lists}'


# ---- the language


def _all_extensions() -> list[Extension]:
    return [base, *library().everything().values()]


def _of_language(wanted: str) -> Iterator[Entry]:
    if wanted in CONTROL:
        usage, source, text = CONTROL[wanted]
        yield Entry("control command", wanted, usage, source=source, text=text)
    words = [d for e in _all_extensions() for d in e.declared if wanted in _names(d)]
    for extension in library().everything().values():
        if extension.name.lower() == wanted:
            yield _extension(extension, words)
    yield from (_word(declared, wanted) for declared in words)
    yield from _tags(wanted)
    yield from _kind_of_choice(wanted)
    for extension in _all_extensions():
        for option in extension.settings.values():
            if option.name == wanted:
                where = (f'extension "{extension.name}"',)
                yield Entry("setting", option.name, on=where, options=(option_json(option),))
    phase = wanted.removesuffix("_phase1").removesuffix("_phase2")
    if phase in PHASES:
        parts = f"A site's scripts for it: {phase}_phase1, then {phase}_phase2."
        yield Entry("phase", phase, text=f"{_sentence(PHASES[phase])}. {parts}")
    yield from _rule(wanted)


@cache
def _rules() -> dict[str, str]:
    """The rules of problems, each with what is wrong: of the checker, of extensions, of lint, and of configurations."""
    of_extensions = {rule: meaning for extension in _all_extensions() for rule, meaning in extension.rules.items()}
    of_lint = {name: summary(rule.doc).partition(": ")[2].rstrip(".") for name, rule in RULES.everything().items()}
    return {**of_extensions, **of_lint, **SITE_RULES, **CHECKER_RULES}


def _rule(wanted: str) -> Iterator[Entry]:
    rule = RULES.find(wanted) if wanted in RULES.everything() else None
    if rule is not None:
        yield Entry("lint rule", rule.name, source=f"severity: {rule.severity}", text=_docs(rule.doc))
    elif wanted in _rules():
        extensions = [e for e in _all_extensions() if e.name and wanted in e.rules and wanted not in CHECKER_RULES]
        owners = tuple(f'extension "{extension.name}"' for extension in extensions)
        yield Entry("rule", wanted, text=f"{_sentence(_rules()[wanted])}.", on=owners)


_NAMELESS = ("reader", "amender")
"""Seams whose declarations no script writes by name."""


def _names(declared: Declared) -> set[str]:
    """All names by which one may ask for a declaration."""
    if declared.seam in _NAMELESS:
        return set()
    if declared.seam == "family":
        return {declared.name, *(declared.name.replace("{}", identifier(name)) for name in ENGINES.everything())}
    return {declared.name, declared.name.removeprefix(":")}


def _extension(extension: Extension, shown: Iterable[Declared]) -> Entry:
    """An extension, with the usage of its words except those that are `shown` anyway."""
    words = [d for d in extension.declared if d.seam not in _NAMELESS and d not in shown]
    return Entry(
        "extension",
        extension.name,
        require=extension.name,
        source=extension.source,
        text=_docs(sys.modules[extension.module].__doc__),
        members=tuple((_kind(declared), _usage(declared)) for declared in words),
        options=tuple(option_json(option) for option in extension.settings.values()),
    )


def _kind(declared: Declared) -> str:
    kinds = {"family": "action", "command": "control command"}
    return kinds.get(declared.seam) or (declared.kind or declared.seam).replace("_", " ")


def _usage(declared: Declared) -> str:
    grammar = grammar_of(declared.made)
    if grammar.of(Shape.ARMS) is not None:
        return "if <test> { ... } [elsif <test> { ... }]... [else { ... }]"
    if declared.seam in ("test", "action", "command"):
        return grammar.usage(declared.name)
    if declared.seam == "family":
        return f"{declared.name.replace('{}', 'ENGINE')} (one for each engine that is configured)"
    return f"{declared.name} {grammar.usage('').strip()}".strip()


def _docs(docstring: str | None) -> str:
    """A docstring without the name that it begins with."""
    text = inspect.cleandoc(docstring or "")
    name, colon, rest = text.partition(": ")
    return _sentence(rest) if colon and " " not in name else text


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _word(declared: Declared, wanted: str) -> Entry:
    is_member = declared.seam == "family" and wanted != declared.name
    return Entry(
        _kind(declared),
        wanted if is_member else declared.name,
        "" if is_member else _usage(declared),
        declared.extension.capability,
        declared.extension.source,
        _docs(declared.made.__doc__),
        declared.on,
    )


@cache
def _tagged() -> tuple[tuple[Declared, Field], ...]:
    """Every tagged argument that is a word's own, with its word."""
    words = [d for e in _all_extensions() for d in e.declared if d.seam not in (*_NAMELESS, "namespace")]
    return tuple((word, field) for word in words for field in grammar_of(word.made).tagged if field.tag)


def _tags(wanted: str) -> Iterator[Entry]:
    """Tags of that name that are words' own arguments, one entry for each form."""
    owners: dict[str, list[str]] = {}
    for word, field in _tagged():
        if field.tag.removeprefix(":") == wanted.removeprefix(":"):
            value = "" if field.shape is Shape.BARE else f" <{field.kind.replace('_', '-') or field.shape}>"
            owners.setdefault(field.tag + value, []).append(word.name)
    for usage, words in owners.items():
        on = tuple(dict.fromkeys(words))
        see = ", ".join(f"sieveav explain {name}" for name in on[:3])
        yield Entry("tag", usage.partition(" ")[0], usage, text=f"See: {see}.", on=on)


def _kind_of_choice(wanted: str) -> Iterator[Entry]:
    """What `[MATCH-TYPE]` in a usage line can be."""
    kind = wanted.replace("-", "_")
    choices = [d for e in _all_extensions() for d in e.declared if d.kind and d.kind == kind]
    if choices:
        rows = [(_usage(d), f'require "{d.extension.capability}"' if d.extension.capability else "") for d in choices]
        yield Entry("argument", wanted, wanted.upper(), members=tuple(rows))


# ---- engines, what they report, the configuration


def _of_scanning(wanted: str) -> Iterator[Entry]:
    for status, meaning in STATUSES.items():
        if status == wanted:
            yield Entry("verdict", wanted, text=f"The content {meaning}.")
    for engine in ENGINES.everything().values():
        for name, meaning in _variables(engine):
            if name.lower() == wanted:
                yield Entry("context variable", name, text=f"{_sentence(meaning)}.", on=(f"engine {engine.name}",))
        if engine.name.lower() == wanted:
            yield _engine(engine)


def _variables(engine: EngineType) -> Iterator[tuple[str, str]]:
    """The context variables that an engine sets by default, with their meanings."""
    known = {pattern.replace("{}", engine.name): meaning for pattern, meaning in VARIABLES.items()}
    settings = EngineSettings.defaults(engine.name)
    verdicts = [Verdict(engine.name, status) for status in Status]
    for name in sorted({name for each in verdicts for name in engine.variables(engine.name, settings, each)}):
        meaning = known.get(name, "what {} reports: see sieveav explain {}")
        yield name, meaning.replace("{}", engine.name)


def _engine(kind: EngineType) -> Entry:
    text = f"{_sentence(kind.summary)}.\n\n{inspect.cleandoc(kind.details)}".strip()
    text += (
        f"\n\nIts name for scripts and --engine is {kind.name}; a further engine of this type has its instance name."
    )
    return Entry("engine", kind.name, text=text, options=tuple(map(option_json, kind.options)))


def _of_configuration(wanted: str) -> Iterator[Entry]:
    stanza = stanzas().get(wanted)
    if stanza is not None and wanted not in ENGINES.everything():
        yield Entry(
            "stanza",
            stanza.name,
            text=f"{_sentence(stanza.meaning)}.\n\n{inspect.cleandoc(stanza.details)}".strip(),
            on=tuple(within for within in stanza.within if within),
            options=tuple(map(option_json, stanza.options)),
        )
    owners: dict[tuple[str, ...], list[str]] = {}
    for stanza in stanzas().values():
        for option in stanza.options:
            if option.name.lower() == wanted:
                owners.setdefault(tuple(option_json(option).values()), []).append(stanza.name)
    for values, on in owners.items():
        shown = dict(zip(("name", "type", "default", "meaning"), values, strict=True))
        yield Entry("option", wanted, on=tuple(on), options=(shown,))


# ---- lists


def _lists(wanted: str) -> Iterator[Entry]:
    if wanted in LISTS:
        title, rows = LISTS[wanted]
        yield Entry("list", wanted, text=title, members=tuple(rows()))


LISTS: Mapping[str, tuple[str, Callable[[], Iterable[tuple[str, str]]]]] = {
    "stanzas": (
        "The stanzas of the configuration:",
        lambda: [(name, stanza.meaning) for name, stanza in sorted(stanzas().items())],
    ),
    "phases": ("The phases in which scripts run:", PHASES.items),
    "statuses": (
        "The statuses of verdicts, the worst first:",
        lambda: [(str(s), text) for s, text in STATUSES.items()],
    ),
    "rules": ("The rules of problems in scripts and configurations:", lambda: sorted(_rules().items())),
}
"""Name -> title, and the rows of name and meaning."""
