"""imap4flags: mark messages with IMAP flags and keywords (RFC 5232).

    if header :contains "From" "boss@example.com" {
        addflag "\\\\Flagged";
    }

The flags that setflag, addflag and removeflag gather go with every keep and fileinto after them, the implicit keep included,
unless :flags says which. With variables, they may gather flags in a variable that is named first. Flags are \\Answered,
\\Flagged, \\Deleted, \\Seen, \\Draft, and keywords of one's own; what is none is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sieveav.extending import (
    OF_A_MESSAGE,
    Action,
    Extension,
    ForeignTag,
    MatchingValues,
    Run,
    Severity,
    Store,
    Strings,
    Use,
    Word,
    check_variable,
    derived,
    optional,
)

imap4flags = Extension("imap4flags", "RFC 5232")

FLAGS_LENGTH = 4096
"""Characters of one list of flags."""

Flags = dict[str, str]
"""A set of flags in the order they came: in lower case -> as written. RFC 5232, 3: letters are the same in either case."""

_SYSTEM = {flag.lower(): flag for flag in ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")}
"""Those that can be set: RFC 3501, 2.3.2; \\Recent cannot (RFC 5232, 2)."""

_KEYWORD = re.compile(r"[!#$&'+-\[^-z|}~]++")  # RFC 3501, 9: atom


def words(texts: Iterable[str]) -> list[str]:
    """RFC 5232, 2: a string with spaces is a list; empty strings are nothing."""
    return [word for text in texts for word in text.split(" ") if word]


def valid(word: str) -> str | None:
    """The flag that `word` names, None where it names none. RFC 5232, 2."""
    return _SYSTEM.get(word.lower()) or (word if _KEYWORD.fullmatch(word) else None)


def flags_in(texts: Iterable[str]) -> Flags:
    """The flags in `texts`, each once, those that are none left out."""
    found: Flags = {}
    for word in words(texts):
        flag = valid(word)
        if flag is not None:
            found.setdefault(flag.lower(), flag)
    return found


def _bounded(flags: Flags) -> Flags:
    """As many of the flags as may stand in one list."""
    room = FLAGS_LENGTH + 1
    found: Flags = {}
    for key, flag in flags.items():
        room -= len(flag) + 1
        if room < 0:
            break
        found[key] = flag
    return found


def _check_flags(use: Use, field: str) -> None:
    for given in use.strings(field):
        for word in words([given.value]):
            if valid(word) is None:
                why = "cannot be set" if word.lower() == "\\recent" else "is no flag"
                message = f'"{word[:60]}" {why} and is ignored'
                use.complain(given, message, rule="flag-invalid", severity=Severity.WARNING)


def _check_variables(use: Use, field: str, *, is_set: bool) -> None:
    """RFC 5232, 1: variables are named only where there are any."""
    if use.has(field) and not use.requires("variables"):
        message = "flags are gathered in a variable only with variables"
        use.complain(field, message, 'write: require "variables";', rule="variables-missing")
        return
    for name in use.constants(field):
        check_variable(use, name, is_set=is_set)


class Internal:
    """The internal variable: the flags of every store that does not say its own, None until they are said.
    RFC 5232, 3."""

    flags: Flags | None = None

    def amend(self, action: Action) -> Action:
        if self.flags is None:
            return action
        return action.changing(Store, flags=tuple(self.flags.values()))


def internal(run: Run) -> Internal:
    """The internal variable of a run; it begins with the flags that earlier scripts of the recipient have left."""
    variable = run.memory(Internal)
    if variable.flags is None:
        left = [effect.flags for effect in run.implicit.effects if isinstance(effect, Store) and effect.flags]
        if left:
            variable.flags = flags_in(left[0])
    return variable


@imap4flags.amends(on=["keep", "fileinto"], unless=":flags")
def with_internal(run: Run) -> Internal:
    """A keep or fileinto without :flags, and the implicit keep."""
    return internal(run)


# ---- actions, RFC 5232, 3


class _Change(Word):
    """A change to the flags in a variable, the internal one unless it is named."""

    variable: str = optional("")
    flags: Strings
    given: Flags = derived()

    def check(self, use: Use) -> None:
        _check_variables(use, "variable", is_set=True)
        _check_flags(use, "flags")

    def prepare(self) -> None:
        self.given = flags_in(self.flags)

    def run(self, run: Run) -> None:
        if self.variable:
            name = self.variable.lower()
            now = self.changed(flags_in([run.variables[name]]))
            run.variables[name] = " ".join(_bounded(now).values())
        else:
            gathered = internal(run)
            gathered.flags = _bounded(self.changed(gathered.flags or {}))

    def changed(self, flags: Flags) -> Flags:
        raise NotImplementedError


@imap4flags.action(phases=OF_A_MESSAGE)
class Setflag(_Change):
    """setflag: these flags and no others. RFC 5232, 3.1."""

    def changed(self, flags: Flags) -> Flags:  # noqa: ARG002
        return self.given


@imap4flags.action(phases=OF_A_MESSAGE)
class Addflag(_Change):
    """addflag: these flags too. RFC 5232, 3.2."""

    def changed(self, flags: Flags) -> Flags:
        return flags | {key: flag for key, flag in self.given.items() if key not in flags}


@imap4flags.action(phases=OF_A_MESSAGE)
class Removeflag(_Change):
    """removeflag: these flags no more. RFC 5232, 3.3."""

    def changed(self, flags: Flags) -> Flags:
        return {key: flag for key, flag in flags.items() if key not in self.given}


@imap4flags.tag(":flags", on=["keep", "fileinto", ":fcc"])
class Flagged(ForeignTag):
    """:flags: the message is stored with these flags and no others. RFC 5232, 5."""

    flags: Strings

    def check(self, use: Use) -> None:
        _check_flags(use, "flags")

    def amend(self, action: Action) -> Action:
        return action.changing(Store, flags=tuple(_bounded(flags_in(self.flags)).values()))


# ---- hasflag, RFC 5232, 4


@imap4flags.test()
class Hasflag(MatchingValues):
    """hasflag: whether one of the flags in the variables, or in the internal one, matches. :count counts different flags."""

    variable_list: Strings = optional(())
    keys: Strings

    def check(self, use: Use) -> None:
        super().check(use)
        _check_variables(use, "variable_list", is_set=False)
        if self.match.name == ":is":
            _check_flags(use, "keys")

    def prepare(self) -> None:
        self.keys = tuple(words(self.keys))
        super().prepare()

    def values(self, run: Run) -> Sequence[str]:
        if not self.variable_list:
            return tuple((internal(run).flags or {}).values())
        held = (flags_in([run.variables[name.lower()]]) for name in self.variable_list)
        return tuple(flag for flags in held for flag in flags.values())
