"""regex: match values with regular expressions (draft-murchison-sieve-regex-07).

    header :regex "Subject" "^(re|fwd?): "
    address :regex ["to", "cc", "bcc"] "me(\\\\+.*)?@company\\\\.com"
    set :quoteregex "name" "${1}";

The syntax is that of POSIX extended regular expressions: . [ ] [[:alpha:]] ? * + {n,m} ( ) | ^ $, and a backslash before
one of these for the character itself; in a string of a script, write the backslash twice. An expression matches anywhere
in a value; ^ and $ match the beginning and end of a line. Of several matches at the first position the longest is taken.
i;ascii-casemap, the default comparator, ignores the case of A to Z; i;octet is case-sensitive. ${0} is the matched text,
${1} that of the first group. RE2 matches in linear time, so there are no back references and no look-around.

Over 400 lines, because expressions are parsed here, character by character: RE2 then never reads one in a sense that POSIX
does not define, and a problem has its exact position.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from sieveav.extending import (
    Capturer,
    Comparator,
    Extension,
    ForeignTag,
    Matcher,
    MatchType,
    Run,
    Severity,
    Use,
    printable_ascii,
)

regex = Extension("regex", "draft-murchison-sieve-regex-07")
regex.rule("keys-too-many", "the test has too many regular expressions")
regex.rule("regex-backslash", "a backslash in a bracket expression is an ordinary character")
regex.rule("regex-invalid", "the regular expression is invalid or too large")

LENGTH = 4096
"""The most characters in an expression, as in the value of a variable."""

KEYS = 100
"""The most expressions in one test."""

INSTRUCTIONS = 1_000_000
"""The most RE2 instructions that all expressions of one script compile to: about half a second of work."""

REFUSED = 120_000
"""Instructions counted for an expression that RE2 rejects: it finds out only while it compiles."""

GROUPS = 32
"""Groups that capture, as many as there are match variables; later groups only group."""

REPETITIONS = 1000
"""The largest number in {n,m}. POSIX requires 255, RE2 allows no more than this."""

MEMORY = 2 * 1024 * 1024
"""Octets that RE2 may use for one expression: its program, and the states that it caches while it matches."""

COMPILED = 256
"""Compiled expressions kept for all scripts: this bounds the memory that they use together."""

WORK = 200_000_000
"""The largest product of an expression's instructions and the octets that it searches in one call. RE2 cannot be interrupted.
It takes 10 to 25 ns per unit when it runs out of states (otherwise a hundredth of that), so this is at most 5 seconds."""

SLICE = 10_000_000
"""The same product for an expression that matches within a line: lines are searched together up to this."""


# ---- extended regular expressions (POSIX.2) to those of RE2


class _Invalid(Exception):
    """What is wrong with an expression, at which character (from 1; None: the whole), and what to write instead."""

    def __init__(self, index: int | None, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.at = None if index is None else index + 1
        self.message = message
        self.hint = hint


_CLASSES = frozenset("alnum alpha blank cntrl digit graph lower print punct space upper xdigit".split())

_SPECIAL = frozenset("\\^$.[]|()*+?{}")
"""Characters that a backslash makes literal."""

_INTERVAL = re.compile(r"\{([0-9]++)(?:(,)([0-9]*+))?\}")

_SHORTHANDS = {
    "d": "[[:digit:]]",
    "D": "[^[:digit:]]",
    "s": "[[:space:]]",
    "S": "[^[:space:]]",
    "w": "[[:alnum:]_]",
    "W": "[^[:alnum:]_]",
}

_FOREIGN_GROUPS = [
    ("(?=", "look-ahead is not supported", "use a second test"),
    ("(?!", "look-ahead is not supported", 'use a second test with "not"'),
    ("(?<=", "look-behind is not supported", "use a second test"),
    ("(?<!", "look-behind is not supported", 'use a second test with "not"'),
    ("(?:", "this kind of group is not supported", 'write "(" instead of "(?:"'),
    ("(?P", "groups have no names", 'write "("'),
    ("(?<", "groups have no names", 'write "("'),
    ("(?i", "options are not supported", "i;ascii-casemap, the default comparator, is case-insensitive"),
    ("(?", "options are not supported", ""),
]
"""Groups of other dialects: how they begin, what is wrong, what to write instead."""

_NAMED = """
    zero 0 one 1 two 2 three 3 four 4 five 5 six 6 seven 7 eight 8 nine 9 exclamation-mark ! quotation-mark " number-sign #
    dollar-sign $ percent-sign % ampersand & apostrophe ' left-parenthesis ( right-parenthesis ) asterisk * plus-sign +
    comma , hyphen - hyphen-minus - period . full-stop . slash / solidus / colon : semicolon ; less-than-sign <
    equals-sign = greater-than-sign > question-mark ? commercial-at @ left-square-bracket [ backslash \\ reverse-solidus \\
    right-square-bracket ] circumflex ^ circumflex-accent ^ underscore _ low-line _ grave-accent ` left-brace {
    left-curly-bracket { vertical-line | right-brace } right-curly-bracket } tilde ~
""".split()
_COLLATING = dict(zip(_NAMED[::2], _NAMED[1::2], strict=True)) | {
    "NUL": "\0",
    "alert": "\a",
    "backspace": "\b",
    "tab": "\t",
    "newline": "\n",
    "vertical-tab": "\v",
    "form-feed": "\f",
    "carriage-return": "\r",
    "space": " ",
}
"""POSIX.2, 2.4: the names of characters in [. .]."""


class _Translation:
    """An expression being translated. RE2 receives only what POSIX defines, written so that RE2 reads it the same way.

    With `caseless`, each ASCII letter is written in both cases, because RE2's own option ignores the case of all letters
    (RFC 4790, 9.2: only A to Z)."""

    def __init__(self, pattern: str, caseless: bool) -> None:
        self.pattern = pattern
        self.caseless = caseless
        self.at = 0
        self.out: list[str] = ["(?m)"]  # ^ and $ match at the beginning and end of each line
        self.advice: list[_Invalid] = []
        self.within_line = True
        """Whether no match can contain a line end."""
        self._opened: list[int] = []
        self._groups = 0
        self._repeatable = ""
        """What precedes the current position: "atom" (repeatable), "repetition", or "" for neither."""

    def whole(self) -> str:
        """The expression in RE2's syntax; raises _Invalid."""
        if len(self.pattern) > LENGTH:
            raise _Invalid(None, f"more than {LENGTH} characters")
        while self.at < len(self.pattern):
            self._next(self.pattern[self.at])
        if self._opened:
            raise _Invalid(self._opened[-1], "unmatched (", 'write "\\\\(" for the character')
        return "".join(self.out)

    def _next(self, c: str) -> None:
        if c == "\\":
            self._escaped()
        elif c == "[":
            self._atom(self._bracket())
        elif c == "(":
            self._open()
        elif c == ")":
            if not self._opened:
                raise _Invalid(self.at, "unmatched )", 'write "\\\\)" for the character')
            self._opened.pop()
            self._atom(")")
        elif c in "*+?":
            self._repeat(c, 1)
        elif c == "{":
            self._braces()
        elif c in "|^$":
            self._put(c, "")
        else:
            self._atom("." if c == "." else self._literal(c))

    def _put(self, text: str, repeatable: str, length: int = 1) -> None:
        self.out.append(text)
        self._repeatable = repeatable
        self.at += length

    def _atom(self, text: str, length: int = 1) -> None:
        self._put(text, "atom", length)

    def _literal(self, c: str) -> str:
        self.within_line = self.within_line and c != "\n"
        if self.caseless and c.isascii() and c.isalpha():
            return f"[{c.upper()}{c.lower()}]"
        return f"\\{c}" if c in _SPECIAL else c

    def _escaped(self) -> None:
        c = self.pattern[self.at + 1 : self.at + 2]
        if not c:
            raise _Invalid(self.at, "trailing backslash", 'write "\\\\\\\\" for one backslash')
        if c in "123456789":
            raise _Invalid(self.at, "back references are not supported")
        if c in _SHORTHANDS:
            raise _Invalid(self.at, f"\\{c} is not defined in POSIX", f'write "{_SHORTHANDS[c]}"')
        if c in "bB<>`'":
            hint = "" if c in "bB" else f'write "{c}" for the character'
            raise _Invalid(self.at, "word boundaries are not supported", hint)
        if c.isascii() and c.isalnum():
            raise _Invalid(self.at, f"\\{c} is not defined in POSIX", "write the character itself")
        self._atom(self._literal(c), 2)

    def _open(self) -> None:
        for begin, message, hint in _FOREIGN_GROUPS:
            if self.pattern.startswith(begin, self.at):
                raise _Invalid(self.at, message, hint)
        self._opened.append(self.at)
        self._groups += 1
        self._put("(" if self._groups <= GROUPS else "(?:", "")

    def _repeat(self, text: str, length: int) -> None:
        if not self._repeatable:
            raise _Invalid(self.at, "nothing to repeat", f'write "\\\\{text[0]}" for the character')
        if self._repeatable == "repetition":
            hint = "leave it out; the longest match is taken anyway" if text in "?+" else "put a group around the first"
            raise _Invalid(self.at, "repeated twice", hint)
        self._put(text, "repetition", length)

    def _braces(self) -> None:
        interval = _INTERVAL.match(self.pattern, self.at)
        if interval is None:
            if self.pattern[self.at + 1 : self.at + 2] in tuple("0123456789,"):
                hint = 'write {n}, {n,} or {n,m}, or "\\\\{" for the character'
                raise _Invalid(self.at, "invalid repetition", hint)
            self._atom("\\{")  # undefined in POSIX; a literal brace in all implementations
            return
        numbers = [int(number) for number in interval.group(1, 3) if number]
        if max(numbers) > REPETITIONS:
            raise _Invalid(self.at, f"more than {REPETITIONS} repetitions")
        if numbers != sorted(numbers):
            raise _Invalid(self.at, "invalid repetition", "write the lower number first")
        text = ",".join(map(str, numbers)) + ("," if interval[2] and len(numbers) == 1 else "")
        self._repeat(f"{{{text}}}", len(interval[0]))

    # ---- bracket expressions, POSIX.2, 2.8.3.2

    def _bracket(self) -> str:
        """The bracket expression at the current position, in RE2's syntax; stops at its last character."""
        begin = self.at
        self.at += 1
        negated = self.pattern.startswith("^", self.at)
        self.at += negated
        self.within_line = self.within_line and not negated
        members: list[str] = []
        first = True
        while first or not self.pattern.startswith("]", self.at):
            if self.at >= len(self.pattern):
                raise _Invalid(begin, "unmatched [", 'write "\\\\[" for the character')
            members += self._members()
            first = False
        return f"[{'^' if negated else ''}{''.join(members)}]"

    def _members(self) -> Iterator[str]:
        """The next element or range of a bracket expression, in RE2's syntax."""
        begin = self.at
        low = self._element()
        if not self._in_range():
            yield from self._class(low) if len(low) > 1 else self._range(low, low)
            return
        self.at += 1
        high = self._element()
        if len(low) > 1 or len(high) > 1:
            raise _Invalid(begin, "a character class cannot begin or end a range", "write - last")
        if low > high:
            raise _Invalid(begin, "the end of the range is before its beginning", "write - last for the character")
        if self._in_range():
            raise _Invalid(self.at, "a range cannot begin where another ends", "write - last for the character")
        yield from self._range(low, high)

    def _in_range(self) -> bool:
        """Whether the next character is a - that is not the last one of the bracket expression."""
        return self.pattern.startswith("-", self.at) and self.pattern[self.at + 1 : self.at + 2] not in ("", "]")

    def _element(self) -> str:
        """The next character, or the name of a character class."""
        at, pattern = self.at, self.pattern
        kind = pattern[at : at + 2]
        if kind in ("[:", "[.", "[="):
            end = pattern.find(f"{kind[1]}]", at + 2)
            if end < 0:
                raise _Invalid(at, f"unmatched {kind}", f"write {kind[1]} before [ for the characters")
            name = pattern[at + 2 : end]
            self.at = end + 2
            if kind != "[:":
                return self._collating(at, name)
            if name not in _CLASSES:
                raise _Invalid(at, "unknown character class", f"write one of {', '.join(sorted(_CLASSES))}")
            return name
        if kind[:1] == "\\" and kind[1:] and (kind[1] == "]" or (kind[1].isascii() and kind[1].isalnum())):
            hint = "write ] first for the character" if kind[1] == "]" else "write classes such as [:digit:]"
            self.advice.append(_Invalid(at, "within [ ] a backslash is an ordinary character", hint))
        self.at += 1
        return kind[:1]

    def _collating(self, at: int, name: str) -> str:
        """POSIX.2: in the POSIX locale each character is a collating element and equivalent to itself only."""
        if len(name) == 1:
            return name
        if name not in _COLLATING:
            raise _Invalid(at, "unknown collating element", "write the character itself")
        return _COLLATING[name]

    def _class(self, name: str) -> Iterator[str]:
        self.within_line = self.within_line and name not in ("space", "cntrl")
        yield f"[:{'alpha' if self.caseless and name in ('lower', 'upper') else name}:]"

    def _range(self, low: str, high: str) -> Iterator[str]:
        self.within_line = self.within_line and not low <= "\n" <= high
        yield _span(ord(low), ord(high))
        if self.caseless:
            for begin, end, distance in ((0x41, 0x5A, 0x20), (0x61, 0x7A, -0x20)):
                first, last = max(ord(low), begin), min(ord(high), end)
                if first <= last:
                    yield _span(first + distance, last + distance)


def _span(low: int, high: int) -> str:
    return f"\\x{{{low:x}}}" if low == high else f"\\x{{{low:x}}}-\\x{{{high:x}}}"


# ---- compiling and matching


@lru_cache(maxsize=COMPILED)
def _compiled(expression: bytes, capturing: bool) -> Any:
    """A compiled expression. RE2 is much faster if it need not capture."""
    import re2  # only for scripts that use :regex

    options = re2.Options()
    # POSIX.2, 2.8.2. Whether there is a match does not depend on it, and is found in a thousandth of the time without.
    options.longest_match = capturing
    options.log_errors = False
    options.max_mem = MEMORY
    options.never_capture = not capturing
    return re2.compile(expression, options)


class _Expression(NamedTuple):
    """A key ready for matching; `within_line` if no match can contain a line end."""

    re2: bytes
    size: int
    capturing: bool
    within_line: bool

    def search(self, data: bytes, run: Run) -> Any:
        """The first match in `data`, or None; too much work is a run-time error."""
        compiled = _compiled(self.re2, self.capturing)
        for piece in _slices(data, SLICE // self.size) if self.within_line else (data,):
            run.tick()
            if self.size * len(piece) > WORK:
                run.fail("value is too long for this regular expression")
            match = compiled.search(piece)
            if match is not None:
                return match
        return None


def _slices(data: bytes, length: int) -> Iterator[bytes]:
    """`data` in pieces of whole lines, each as long as possible up to `length`, or one longer line."""
    at = 0
    while len(data) - at > length:
        end = data.rfind(b"\n", at, at + length)
        if end < 0:
            end = data.find(b"\n", at + length)
            if end < 0:
                break
        yield data[at:end]
        at = end + 1
    yield data[at:] if at else data


def _translated(pattern: str, comparator: Comparator, capturing: bool) -> tuple[_Expression, list[_Invalid]]:
    """The expression of a key, and advice on it; raises _Invalid."""
    translation = _Translation(pattern, comparator.fold is not None)
    expression = translation.whole().encode("utf-8", "surrogatepass")
    import re2

    try:
        compiled = _compiled(expression, capturing)
    except re2.error as error:
        raise _Invalid(None, _explained(error)) from None
    return _Expression(expression, compiled.programsize, capturing, translation.within_line), translation.advice


def _explained(error: Exception) -> str:
    """Why RE2 rejects an expression that POSIX allows."""
    text = str(error.args[0]) if error.args else ""
    if "repetition size" in text:
        return f"nested repetitions of more than {REPETITIONS}"
    return "too large" if "too large" in text else f"rejected by RE2: {printable_ascii(text)}"


def _shown(flaw: _Invalid, pattern: str) -> str:
    """The message of a flaw, the same at check time and at run time."""
    if flaw.at is None:
        return f"invalid regular expression: {flaw.message}"
    near = printable_ascii(pattern[flaw.at - 1 : flaw.at + 9])
    return f'invalid regular expression: character {flaw.at}, "{near}": {flaw.message}'


def _octets(value: str) -> bytes:
    """The octets that RE2 searches; lines end with LF alone, because $ matches before it."""
    return value.replace("\r\n", "\n").encode("utf-8", "surrogatepass")


# ---- the match type


class _Total:
    """The RE2 instructions of all expressions of a script being checked."""

    instructions = 0


@regex.match_type(":regex")
class Regex(MatchType):
    """:regex: a regular expression matches the value or a part of it."""

    raw = True
    captures = True

    def check_keys(self, word: Any, use: Use) -> None:
        if word.comparator.name not in ("i;octet", "i;ascii-casemap"):  # section 3: these two are supported
            message = f"comparator {word.comparator.name} cannot be used with :regex"
            use.complain("comparator", message, 'write "i;octet" or "i;ascii-casemap"', rule="comparator-unfit")
            return
        if len(word.keys) > KEYS:
            use.complain("keys", f"more than {KEYS} regular expressions in one test", rule="keys-too-many")
            return
        total = use.memory(_Total)
        keys = use.strings("keys") or [
            text for texts in use.given.values() for text in texts if text.value in word.keys
        ]
        for key in keys:
            if total.instructions > INSTRUCTIONS:
                return
            try:
                expression, advice = _translated(key.value, word.comparator, capturing=True)
            except _Invalid as flaw:  # section 3: SHOULD be rejected as a syntax error
                use.complain(key, _shown(flaw, key.value), flaw.hint, rule="regex-invalid")
                total.instructions += REFUSED if flaw.at is None else 0
                continue
            total.instructions += expression.size
            if total.instructions > INSTRUCTIONS:
                message = "all regular expressions of this script together are too large"
                use.complain(key, message, rule="regex-invalid")
            for each in advice:
                message = f"character {each.at}: {each.message}"
                use.complain(key, message, each.hint, rule="regex-backslash", severity=Severity.WARNING)

    def _expressions(self, comparator: Comparator, keys: Sequence[str], *, capturing: bool) -> list[_Expression] | str:
        """The expressions of the keys, or what is wrong with one (its value comes from variables)."""
        expressions = []
        for key in keys:
            try:
                expressions.append(_translated(key, comparator, capturing)[0])
            except _Invalid as flaw:
                return _shown(flaw, key)
        return expressions

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:
        expressions = self._expressions(comparator, keys, capturing=False)
        if isinstance(expressions, str):
            return self._failing(expressions)

        def matches(values: Sequence[str], run: Run) -> bool:
            for value in values:
                data = _octets(value)
                for expression in expressions:
                    if expression.search(data, run) is not None:
                        return True
            return False

        return matches

    def capturer(self, comparator: Comparator, keys: Sequence[str]) -> Capturer:
        """RFC 5229, 3.2: the match values of the first match, by order of values, then of keys."""
        expressions = self._expressions(comparator, keys, capturing=True)
        if isinstance(expressions, str):
            return self._failing(expressions)

        def captures(values: Sequence[str], run: Run) -> tuple[str, ...] | None:
            for value in values:
                data = _octets(value)
                for expression in expressions:
                    match = expression.search(data, run)
                    if match is not None:
                        # a group that did not participate is the empty string
                        return tuple([text.decode("utf-8", "replace") for text in (match[0], *match.groups(b""))])
            return None

        return captures

    def _failing(self, flaw: str) -> Callable[[Sequence[str], Run], NoReturn]:
        def fails(values: Sequence[str], run: Run) -> NoReturn:  # noqa: ARG001
            run.fail(flaw, self)

        return fails


# ---- the modifier


@regex.tag(":quoteregex", on=["set"])
class QuoteRegex(ForeignTag):
    """:quoteregex: put a backslash before each character that is special in :regex, so that it matches itself."""

    precedence = 20
    quotes = True

    def amend(self, text: str) -> str:
        return "".join([f"\\{c}" if c in _SPECIAL else c for c in text])
