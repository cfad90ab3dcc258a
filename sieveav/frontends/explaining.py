"""explaining: what is installed, as the program knows it itself: extensions, words, engines, options, in plain text.

The reference of the language is made from the classes that are the language: their grammars and docstrings.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from sieveav.frontends.showing import summary
from sieveav.language.extension import Declared, Extension
from sieveav.language.grammar import Shape, grammar_of
from sieveav.language.problems import did_you_mean
from sieveav.options import Option
from sieveav.plugins import identifier
from sieveav.running.base import base
from sieveav.scanning.contract import ENGINES, EngineType
from sieveav.site.library import Library


def extensions() -> list[dict[str, Any]]:
    """Every extension: its capability, where it is specified, a sentence."""
    return [
        {"name": extension.capability, "source": extension.source, "summary": _of_extension(extension)}
        for extension in Library().everything().values()
    ]


def _of_extension(extension: Extension) -> str:
    """The first sentence of the file's docstring, without the name it begins with."""
    text = summary(sys.modules[extension.module].__doc__)
    return text.partition(": ")[2] or text


def _option(option: Option) -> dict[str, Any]:
    default = option.default
    shown = list(default) if isinstance(default, tuple) else default
    return {"name": option.name, "type": option.kind.name, "default": shown, "meaning": option.meaning}


def engines() -> list[dict[str, Any]]:
    """Every kind of engine: its name, a sentence, its pool, the options of its own."""
    return [
        {"name": k.name, "summary": k.summary, "pool": k.pool, "options": [_option(option) for option in k.options]}
        for k in ENGINES.everything().values()
    ]


def explain(name: str) -> list[str]:
    """Everything that is called `name`: an extension, a word, a tag, an engine, an option of the configuration. Empty
    when nothing is."""
    wanted = name.lower()
    found: list[str] = []
    for extension in [base, *Library().everything().values()]:
        if extension.capability and extension.capability.lower() == wanted:
            found += _extension(extension)
        for declared in extension.declared:
            if wanted in _names(declared):
                found += _word(declared)
        for option in extension.settings.values():
            if option.name == wanted:
                found += [*_setting(extension, option), ""]
    kind = ENGINES.everything().get(wanted)
    if kind is not None:
        found += _engine(kind)
    found += _options(wanted)
    while found and not found[-1]:
        found.pop()
    return found


_NAMELESS = ("reader", "amender")
"""Seams whose declarations no script writes by name."""


def _names(declared: Declared) -> set[str]:
    """All by which one may ask for a declaration."""
    if declared.seam in _NAMELESS:
        return set()
    if declared.seam == "family":
        return {declared.name, *(declared.name.replace("{}", identifier(name)) for name in ENGINES.everything())}
    return {declared.name, declared.name.removeprefix(":")}


def _setting(extension: Extension, option: Option) -> list[str]:
    default = _option(option)["default"]
    return [f'  setting {option.name} = {default!r}: {option.meaning} (extension "{extension.capability}")']


def unknown(name: str) -> str:
    """What to say when nothing is called `name`."""
    known = [
        name for extension in [base, *Library().everything().values()] for d in extension.declared for name in _names(d)
    ]
    known += [*Library().everything(), *ENGINES.everything()]
    hint = did_you_mean(name, known)
    return f'nothing is called "{name}"{f"; {hint}" if hint else ""} (see: sieveav extensions, sieveav engines)'


def _docs(text: str | None) -> Iterator[str]:
    for line in inspect.cleandoc(text or "").splitlines():
        yield f"  {line}".rstrip()


def _extension(extension: Extension) -> list[str]:
    lines = [f'require "{extension.capability}";   {extension.source}', ""]
    lines += _docs(sys.modules[extension.module].__doc__)
    lines.append("")
    for declared in extension.declared:
        if declared.seam not in _NAMELESS:
            lines += [f"  {_usage(declared)}"]
    for option in extension.settings.values():
        lines += _setting(extension, option)
    return [*lines, ""]


def _usage(declared: Declared) -> str:
    grammar = grammar_of(declared.made)
    if declared.seam in ("test", "action", "command"):
        if grammar.of(Shape.ARMS) is not None:
            return "if <test> { ... } [elsif <test> { ... }]... [else { ... }]"
        return f"{declared.seam}: {grammar.usage(declared.name)}"
    if declared.seam == "family":
        return f"action: {declared.name.replace('{}', 'ENGINE')}, for each engine that is configured"
    follows = grammar.usage("").strip()
    shown = f"{declared.name} {follows}".strip()
    if declared.seam == "tag":
        return f"tag: {shown}, on {', '.join(declared.on)}"
    return f"{(declared.kind or declared.seam).replace('_', ' ')}: {shown}"


def _word(declared: Declared) -> list[str]:
    capability = declared.extension.capability
    lines = [
        _usage(declared),
        f"  {f'require {chr(34)}{capability}{chr(34)};   ' if capability else ''}{declared.extension.source}",
    ]
    lines += _docs(declared.made.__doc__)
    return [*lines, ""]


def _engine(kind: EngineType) -> list[str]:
    return [f"engine {kind.name}: {kind.summary}", *_docs(kind.details), *_takes(kind.options), ""]


def _takes(options: Iterable[Option]) -> list[str]:
    return [f"  {o.name} = {_option(o)['default']!r}   {o.kind.name}: {o.meaning}" for o in options]


def _options(name: str) -> list[str]:
    """The options of that name in the tables of the configuration, and the stanza of that name."""
    from sieveav.site.options import forms

    lines: list[str] = []
    for form in forms(ENGINES.everything()).values():
        if form.kind == name and name not in ENGINES.everything():
            lines += [f"stanza {form.kind}: {form.meaning}", *_takes(form.options), ""]
    seen: set[str] = set()
    for form in forms(ENGINES.everything()).values():
        for option in form.options:
            if option.name == name and option.meaning not in seen:
                seen.add(option.meaning)
                lines += [f"option {option.name} = {_option(option)['default']!r}   {option.kind.name}, of {form.kind}"]
                lines += [f"  {option.meaning}", *([f"  {option.unless_default}"] if option.unless_default else []), ""]
    return lines
