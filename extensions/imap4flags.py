"""imap4flags: set IMAP flags and keywords on messages (RFC 5232).

    if header :contains "From" "boss@example.com" {
        addflag "\\\\Flagged";
    }

setflag, addflag and removeflag change the internal variable. Its flags are set by every later keep and fileinto without
:flags, and by the implicit keep. With variables, a variable can be named as the first argument instead. Flags are
\\Answered, \\Flagged, \\Deleted, \\Seen, \\Draft, and any keywords; invalid flags are ignored.
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
imap4flags.rule("flag-invalid", "the flag is not valid")
imap4flags.rule("flag-not-system", "the keyword is named like a system flag")
imap4flags.rule("variables-missing", "the word needs the extension variables")

FLAGS_LENGTH = 4096
"""The most characters in a list of flags."""

Flags = dict[str, str]
"""A set of flags in their order: lower case -> as written. RFC 5232, 3: flags are case-insensitive."""

_SYSTEM = {flag.lower(): flag for flag in ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")}
"""The system flags that can be set: RFC 3501, 2.3.2; \\Recent cannot (RFC 5232, 2)."""

_KEYWORD = re.compile(r"[!#$&'+-\[^-z|}~]++")  # RFC 3501, 9: atom


def words(texts: Iterable[str]) -> list[str]:
    """The words in `texts`. RFC 5232, 2: a string with spaces is a list of flags; empty strings are ignored."""
    return [word for text in texts for word in text.split(" ") if word]


def flag_of(word: str) -> str | None:
    """The flag that `word` names, None if it is not a flag. RFC 5232, 2."""
    return _SYSTEM.get(word.lower()) or (word if _KEYWORD.fullmatch(word) else None)


def flags_in(texts: Iterable[str]) -> Flags:
    """The flags in `texts`, each once, without words that are not flags."""
    flags: Flags = {}
    for word in words(texts):
        flag = flag_of(word)
        if flag is not None:
            flags.setdefault(flag.lower(), flag)
    return flags


def _bounded(flags: Flags) -> Flags:
    """The first flags, up to the length limit of a list."""
    room = FLAGS_LENGTH + 1
    bounded: Flags = {}
    for key, flag in flags.items():
        room -= len(flag) + 1
        if room < 0:
            break
        bounded[key] = flag
    return bounded


def _check_flags(use: Use, field: str) -> None:
    for text in use.strings(field):
        for word in words([text.value]):
            system = _SYSTEM.get(f"\\{word.lower()}")
            if flag_of(word) is None:
                why = "cannot be set" if word.lower() == "\\recent" else "is not a valid flag"
                message = f'"{word[:60]}" {why} and is ignored'
                use.complain(text, message, rule="flag-invalid", severity=Severity.WARNING)
            elif system is not None:  # RFC 5228, 2.4.2: "\Seen" in a script is the string Seen
                message = f'"{word}" is a keyword, not the system flag'
                hint = f'write "\\{system}" for the system flag'
                use.complain(text, message, hint, rule="flag-not-system", severity=Severity.WARNING)


def _check_variables(use: Use, field: str, *, is_set: bool) -> None:
    """Check the names of variables. RFC 5232, 1: they need the extension "variables"."""
    if use.has(field) and not use.requires("variables"):
        message = "naming a variable for flags needs variables"
        use.complain(field, message, 'write: require "variables";', rule="variables-missing")
        return
    for name in use.constants(field):
        check_variable(use, name, is_set=is_set)


class Internal:
    """The internal variable: the flags of every store without flags of its own; None until they are set. RFC 5232, 3."""

    flags: Flags | None = None

    def amend(self, action: Action) -> Action:
        if self.flags is None:
            return action
        return action.changing(Store, flags=tuple(self.flags.values()))


def internal(run: Run) -> Internal:
    """The internal variable of a run. It starts with the flags that the recipient's earlier scripts have set."""
    variable = run.memory(Internal)
    if variable.flags is None:
        earlier = [effect.flags for effect in run.implicit.effects if isinstance(effect, Store) and effect.flags]
        if earlier:
            variable.flags = flags_in(earlier[0])
    return variable


@imap4flags.amends(on=["keep", "fileinto"], unless=":flags")
def with_internal(run: Run) -> Internal:
    """Set the internal variable's flags on a keep or fileinto without :flags, and on the implicit keep."""
    return internal(run)


# ---- actions, RFC 5232, 3


class _Change(Word):
    """A change of the flags in a variable; without a name, in the internal variable."""

    variable: str = optional("")
    flags: Strings
    changes: Flags = derived()

    def check(self, use: Use) -> None:
        _check_variables(use, "variable", is_set=True)
        _check_flags(use, "flags")

    def prepare(self) -> None:
        self.changes = flags_in(self.flags)

    def run(self, run: Run) -> None:
        if self.variable:
            name = self.variable.lower()
            flags = self.changed(flags_in([run.variables[name]]))
            run.variables[name] = " ".join(_bounded(flags).values())
        else:
            variable = internal(run)
            variable.flags = _bounded(self.changed(variable.flags or {}))

    def changed(self, flags: Flags) -> Flags:
        """`flags` after the change."""
        raise NotImplementedError


@imap4flags.action(phases=OF_A_MESSAGE)
class Setflag(_Change):
    """setflag: replace the flags by these. RFC 5232, 3.1."""

    def changed(self, flags: Flags) -> Flags:  # noqa: ARG002
        return self.changes


@imap4flags.action(phases=OF_A_MESSAGE)
class Addflag(_Change):
    """addflag: add flags. RFC 5232, 3.2."""

    def changed(self, flags: Flags) -> Flags:
        return flags | {key: flag for key, flag in self.changes.items() if key not in flags}


@imap4flags.action(phases=OF_A_MESSAGE)
class Removeflag(_Change):
    """removeflag: remove flags. RFC 5232, 3.3."""

    def changed(self, flags: Flags) -> Flags:
        return {key: flag for key, flag in flags.items() if key not in self.changes}


@imap4flags.tag(":flags", on=["keep", "fileinto", ":fcc"])
class Flagged(ForeignTag):
    """:flags: store the message with exactly these flags. RFC 5232, 5."""

    flags: Strings

    def check(self, use: Use) -> None:
        _check_flags(use, "flags")

    def amend(self, action: Action) -> Action:
        return action.changing(Store, flags=tuple(_bounded(flags_in(self.flags)).values()))


# ---- hasflag, RFC 5232, 4


@imap4flags.test()
class Hasflag(MatchingValues):
    """hasflag: whether a flag in the variables, or in the internal variable, matches a key. :count counts distinct flags."""

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
        sets = (flags_in([run.variables[name.lower()]]) for name in self.variable_list)
        return tuple(flag for flags in sets for flag in flags.values())
