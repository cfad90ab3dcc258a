"""variables: set variables and use them in strings (RFC 5229).

    set "company" "ACME";
    if header :matches "List-ID" "*<*@*" {
        fileinto "${company}.lists.${2}";
    }

In every string, `${name}` is replaced by the value of a variable, "" if it is not set; names are case-insensitive. `${1}`,
`${2}` ... are what the wildcards of the last successful :matches matched, `${0}` the whole value. `${namespace.name}` is a
value from another extension, such as `${vctx.clamav_status}`. Anything else, such as `${}` or `${a b}`, is left unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sieveav.extending import (
    MATCH_VARIABLES_MARK,
    PHASES,
    VARIABLE_VALUE,
    Extension,
    ForeignTag,
    Given,
    MatchingValues,
    Run,
    Span,
    Strings,
    Template,
    Use,
    Word,
    ascii_upper,
    check_variable,
    clip_value,
    derived,
    is_constant,
)

variables = Extension("variables", "RFC 5229")
variables.rule("match-variable-range", "the number of the match variable is too high")
variables.rule("modifier-conflict", "two modifiers have the same precedence")
variables.rule("namespace-unknown", "no required extension has this namespace")
variables.rule("value-too-long", "the value of the variable is too long")


MATCH_VARIABLES = 32
"""The highest match variable; using a higher one is an error. RFC 5229, 3.2 requires at least nine."""


# ---- references in strings, RFC 5229, 3

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*+(?>(?:\.(?:[A-Za-z_][A-Za-z0-9_]*+|[0-9]++))*)|[0-9]++)\}")


class _Variable(Template):
    """`${name}`: the value of a variable."""

    def __init__(self, name: str) -> None:
        self.name = name.lower()

    def expand(self, run: Run) -> str:
        return run.variables[self.name]


class _MatchValue(Template):
    """`${1}`: a match value. RFC 5229, 3.2: the empty string if out of range."""

    def __init__(self, index: int) -> None:
        self.index = index

    def expand(self, run: Run) -> str:
        values = run.match_values
        return values[self.index] if self.index < len(values) else ""


class _Foreign(Template):
    """`${namespace.rest}`: a value from a namespace."""

    def __init__(self, namespace: Any, rest: str) -> None:
        self.namespace = namespace
        self.rest = rest

    def expand(self, run: Run) -> str:
        return self.namespace.value(run, self.rest) or ""


_NOTHING = _Variable("")
"""Replaces an invalid reference, so that its string is not reported again."""


@variables.reader(order=20)  # RFC 5229, 3.1: after encoded characters
class References:
    """`${name}` in strings: the value of a variable, a match value, or a value from another extension. RFC 5229, 3."""

    def read(self, text: str, use: Use, span: Span) -> str | list[str | Template]:
        pieces: list[str | Template] = []
        at = 0
        for match in _REFERENCE.finditer(text):
            pieces += [text[at : match.start()], _reference(match[1], use, span)]
            at = match.end()
        return [*pieces, text[at:]] if pieces else text


def _reference(name: str, use: Use, span: Span) -> Template:
    if name[0] in "0123456789":
        return _match_value(name.lstrip("0") or "0", use, span)  # RFC 5229, 3.2: leading zeroes are ignored
    head, dot, rest = name.partition(".")
    if not dot:
        return _Variable(name)
    namespace = use.namespace(head)
    if namespace is None:  # RFC 5229, 3: an error
        message = f'unknown namespace "{head[:60]}"'
        use.complain(span, message, use.lacking("namespace", head), rule="namespace-unknown")
        return _NOTHING
    values = namespace()
    values.check(rest, use, span)
    return _Foreign(values, rest)


def _match_value(digits: str, use: Use, span: Span) -> Template:
    if len(digits) > 9 or int(digits) > MATCH_VARIABLES:  # RFC 5229, 6: found at check time
        use.complain(span, f"the highest match variable is ${{{MATCH_VARIABLES}}}", rule="match-variable-range")
        return _NOTHING
    use.mark(MATCH_VARIABLES_MARK)
    return _MatchValue(int(digits))


# ---- set, RFC 5229, 4


@variables.command("set", phases=PHASES)
class Set(Word):
    """set: set a variable to a value, changed by the modifiers. A value that is too long is truncated. RFC 5229, 4."""

    name: str
    value: str
    namespace: Any = derived(None)
    text: str = derived()

    def check(self, use: Use) -> None:
        for name in use.constants("name"):  # RFC 5229, 4: the name is a constant string
            self._check_name(use, name)
        by_precedence: dict[int, Any] = {}
        for tag in self.tags:  # RFC 5229, 4.1: an error
            other = by_precedence.setdefault(tag.precedence, tag)
            if other is not tag:
                use.complain(tag.span, f"{tag.name} conflicts with {other.name}", rule="modifier-conflict")
        for value in use.strings("value"):  # RFC 5229, 6: found at check time if possible
            if all(map(is_constant, self.tags)) and (text := self.amended(value.value)) != clip_value(text):
                use.complain(value, f"value is longer than {VARIABLE_VALUE} characters", rule="value-too-long")

    def _check_name(self, use: Use, name: Given) -> None:
        head, dot, rest = name.value.partition(".")
        if not dot:
            check_variable(use, name)
            return
        namespace = use.namespace(head)
        if namespace is None or not namespace.settable:  # RFC 5229, 4
            message = f'cannot set variables in the namespace "{head[:60]}"'
            use.complain(
                name, message, use.lacking("namespace", head) if namespace is None else "", rule="variable-name"
            )
            return
        self.namespace, self.name = namespace(), rest
        self.namespace.check(rest, use, name.span)

    def amended(self, text: str) -> str:
        """`text` with the modifiers applied, the one of the highest precedence first (RFC 5229, 4.1)."""
        for tag in sorted(self.tags, key=lambda tag: -int(tag.precedence)):
            text = tag.amend(text)
        return text

    def prepare(self) -> None:
        self.text = clip_value(self.amended(self.value))
        if len(self.text) == VARIABLE_VALUE and any(tag.quotes for tag in self.tags):
            escapes = len(self.text) - len(self.text.rstrip("\\"))
            self.text = self.text[
                : len(self.text) - escapes % 2
            ]  # RFC 5229, 6: truncate before an escape, not within it

    def run(self, run: Run) -> None:
        if self.namespace is None:
            run.variables[self.name] = self.text
        else:
            self.namespace.set(run, self.name, self.text)


# ---- modifiers, RFC 5229, 4.1. Other extensions add some as tags on "set" with a `precedence` and `amend(text)`, and with
# `quotes = True` if they put backslashes before characters.


def lower(text: str) -> str:
    """`text` with its ASCII letters in lower case."""
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


@variables.tag(":lower", on=["set"])
class Lower(ForeignTag):
    """:lower: convert ASCII letters to lower case."""

    precedence = 40

    def amend(self, text: str) -> str:
        return lower(text)


@variables.tag(":upper", on=["set"])
class Upper(ForeignTag):
    """:upper: convert ASCII letters to upper case."""

    precedence = 40

    def amend(self, text: str) -> str:
        return ascii_upper(text)


@variables.tag(":lowerfirst", on=["set"])
class LowerFirst(ForeignTag):
    """:lowerfirst: convert the first character to lower case."""

    precedence = 30

    def amend(self, text: str) -> str:
        return lower(text[:1]) + text[1:]


@variables.tag(":upperfirst", on=["set"])
class UpperFirst(ForeignTag):
    """:upperfirst: convert the first character to upper case."""

    precedence = 30

    def amend(self, text: str) -> str:
        return ascii_upper(text[:1]) + text[1:]


@variables.tag(":quotewildcard", on=["set"])
class QuoteWildcard(ForeignTag):
    """:quotewildcard: put a backslash before *, ? and \\, so that :matches takes them literally."""

    precedence = 20
    quotes = True

    def amend(self, text: str) -> str:
        return re.sub(r"([*?\\])", r"\\\1", text)


@variables.tag(":length", on=["set"])
class Length(ForeignTag):
    """:length: the number of characters, as a decimal number."""

    precedence = 10

    def amend(self, text: str) -> str:
        return str(len(text))


# ---- string, RFC 5229, 5


@variables.test("string", phases=PHASES)
class StringTest(MatchingValues):
    """string: whether one of the strings matches a key. :count counts the strings that are not empty. RFC 5229, 5."""

    source: Strings
    keys: Strings

    def values(self, run: Run) -> Sequence[str]:  # noqa: ARG002
        return self.source
