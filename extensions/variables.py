"""variables: keep texts under a name and write them into strings (RFC 5229).

    set "company" "ACME";
    if header :matches "List-ID" "*<*@*" {
        fileinto "${company}.lists.${2}";
    }

In every string, `${name}` stands for the value of a variable, "" if it was never set; letters of a name are the same in
either case. `${1}`, `${2}` ... are what the wildcards of the last :matches that held stood for, `${0}` the whole value.
`${namespace.name}` is a value that another extension offers, such as `${vctx.clamav_status}`. What is no such reference,
`${}` or `${a b}`, is left as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sieveav.extending import (
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


MATCH_VARIABLES = 32
"""Match variables beyond ${0}: naming a higher one is a problem. RFC 5229, 3.2 asks for at least nine."""


# ---- references in strings, RFC 5229, 3

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*+(?>(?:\.(?:[A-Za-z_][A-Za-z0-9_]*+|[0-9]++))*)|[0-9]++)\}")


class _Variable(Template):
    def __init__(self, name: str) -> None:
        self.name = name.lower()

    def expand(self, run: Run) -> str:
        return run.variables[self.name]


class _MatchValue(Template):
    """RFC 5229, 3.2: out of range, it is the empty string."""

    def __init__(self, index: int) -> None:
        self.index = index

    def expand(self, run: Run) -> str:
        values = run.match_values
        return values[self.index] if self.index < len(values) else ""


class _Foreign(Template):
    """A value that a namespace offers."""

    def __init__(self, namespace: Any, rest: str) -> None:
        self.namespace = namespace
        self.rest = rest

    def expand(self, run: Run) -> str:
        return self.namespace.value(run, self.rest) or ""


_NOTHING = _Variable("")
"""In the place of a reference that was complained of, so that nobody complains of the string again."""


@variables.reader(order=20)  # RFC 5229, 3.1: after encoded characters
class References:
    """${name}: the value of a variable, a match value, or what another extension offers."""

    def read(self, text: str, use: Use, span: Span) -> str | list[str | Template]:
        pieces: list[str | Template] = []
        at = 0
        for found in _REFERENCE.finditer(text):
            pieces += [text[at : found.start()], _reference(found[1], use, span)]
            at = found.end()
        return [*pieces, text[at:]] if pieces else text


def _reference(name: str, use: Use, span: Span) -> Template:
    if name[0] in "0123456789":
        return _match_value(name.lstrip("0") or "0", use, span)  # RFC 5229, 3.2: leading zeroes are ignored
    head, dot, rest = name.partition(".")
    if not dot:
        return _Variable(name)
    namespace = use.namespace(head)
    if namespace is None:  # RFC 5229, 3: an error
        message = f'there is no namespace "{head[:60]}"'
        use.complain(span, message, use.lacking("namespace", head), rule="namespace-unknown")
        return _NOTHING
    made = namespace()
    made.check(rest, use, span)
    return _Foreign(made, rest)


def _match_value(digits: str, use: Use, span: Span) -> Template:
    if len(digits) > 9 or int(digits) > MATCH_VARIABLES:  # RFC 5229, 6: found at check time
        use.complain(span, f"match variables go up to ${{{MATCH_VARIABLES}}}", rule="match-variable-range")
        return _NOTHING
    use.mark("match-variables")
    return _MatchValue(int(digits))


# ---- set, RFC 5229, 4


@variables.command("set", phases=PHASES)
class Set(Word):
    """set: give a variable a value, changed by the modifiers. A value that is too long is cut."""

    name: str
    value: str
    namespace: Any = derived(None)
    text: str = derived()

    def check(self, use: Use) -> None:
        for name in use.constants("name"):  # RFC 5229, 4: the name is constant
            self._check_name(use, name)
        known: dict[int, Any] = {}
        for tag in self.tags:  # RFC 5229, 4.1: an error
            other = known.setdefault(tag.precedence, tag)
            if other is not tag:
                use.complain(tag.span, f"{tag.name} does not go together with {other.name}", rule="modifier-conflict")
        for value in use.strings("value"):  # RFC 5229, 6: told at check time if possible
            if all(map(is_constant, self.tags)) and (text := self.amended(value.value)) != clip_value(text):
                use.complain(value, f"a variable holds at most {VARIABLE_VALUE} characters", rule="value-too-long")

    def _check_name(self, use: Use, name: Given) -> None:
        head, dot, rest = name.value.partition(".")
        if not dot:
            check_variable(use, name)
            return
        namespace = use.namespace(head)
        if namespace is None or not namespace.settable:  # RFC 5229, 4
            message = f'nothing can be set in a namespace "{head[:60]}"'
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
            self.text = self.text[: len(self.text) - escapes % 2]  # RFC 5229, 6: cut before an escape, not within it

    def run(self, run: Run) -> None:
        if self.namespace is None:
            run.variables[self.name] = self.text
        else:
            self.namespace.set(run, self.name, self.text)


# ---- modifiers, RFC 5229, 4.1: more come as tags on "set" that have a `precedence` and `amend(text)`,
# and `quotes = True` where that puts backslashes before characters


def lower(text: str) -> str:
    """`text` with ASCII letters in lower case and all else as it is."""
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


@variables.tag(":lower", on=["set"])
class Lower(ForeignTag):
    """:lower: capital letters A to Z become small."""

    precedence = 40

    def amend(self, text: str) -> str:
        return lower(text)


@variables.tag(":upper", on=["set"])
class Upper(ForeignTag):
    """:upper: small letters a to z become capital."""

    precedence = 40

    def amend(self, text: str) -> str:
        return ascii_upper(text)


@variables.tag(":lowerfirst", on=["set"])
class LowerFirst(ForeignTag):
    """:lowerfirst: so does the first character alone, made small."""

    precedence = 30

    def amend(self, text: str) -> str:
        return lower(text[:1]) + text[1:]


@variables.tag(":upperfirst", on=["set"])
class UpperFirst(ForeignTag):
    """:upperfirst: so does the first character alone, made capital."""

    precedence = 30

    def amend(self, text: str) -> str:
        return ascii_upper(text[:1]) + text[1:]


@variables.tag(":quotewildcard", on=["set"])
class QuoteWildcard(ForeignTag):
    """:quotewildcard: with a backslash before *, ? and \\, so that :matches takes them as they are."""

    precedence = 20
    quotes = True

    def amend(self, text: str) -> str:
        return re.sub(r"([*?\\])", r"\\\1", text)


@variables.tag(":length", on=["set"])
class Length(ForeignTag):
    """:length: the number of characters, in digits."""

    precedence = 10

    def amend(self, text: str) -> str:
        return str(len(text))


# ---- string, RFC 5229, 5


@variables.test("string", phases=PHASES)
class StringTest(MatchingValues):
    """string: whether one of the strings, which are taken as they are, matches a key. :count counts those not empty."""

    source: Strings
    keys: Strings

    def values(self, run: Run) -> Sequence[str]:  # noqa: ARG002
        return self.source
