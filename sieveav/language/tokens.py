"""tokens: script text to tokens and comments with places, and what can be said of them before any grammar.

The lexical rules are RFC 5228, 8.1. Every pattern is possessive or a plain class, so reading is linear in the text. An
unterminated string, comment or `text:` is one token that takes the rest, because otherwise each start of one would be
tried to the end of the text again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from sieveav import limits
from sieveav.language.problems import Problem, Span

PUNCTUATION = {
    "[": "left_bracket",
    "]": "right_bracket",
    "(": "left_parenthesis",
    ")": "right_parenthesis",
    "{": "left_cbracket",
    "}": "right_cbracket",
    ";": "semicolon",
    ",": "comma",
}

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n\0]++)
      |(?P<comment>\#[^\n]*+|/\*[^*]*+\*++(?:[^/*][^*]*+\*++)*+/)
      |(?P<string>"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+")
      |(?P<punctuation>[\[\](){};,])
      |(?P<multiline>(?i:text):[ \t]*+(?:(?P<note>\#[^\n]*+)|\r?|(?P<junk>[^\n]++))\n)
      |(?P<open>["]|/\*|(?i:text):)
      |(?P<identifier>[A-Za-z_][A-Za-z0-9_]*+)
      |(?P<tag>:[A-Za-z_][A-Za-z0-9_]*+)
      |(?P<number>[0-9]++[KkMmGg]?+(?![A-Za-z0-9_]))
      |(?P<invalid>[0-9][A-Za-z0-9_]*+|[^\s\0"\#:;,{}()\[\]A-Za-z0-9_/]++|.|\s)""",
    re.VERBOSE,
)

_DOT = re.compile(r"^\.\r?(?:\n|\Z)", re.MULTILINE)
"""The line that ends a multi-line string."""

_QUOTES = "'`\u2018\u2019\u201c\u201d\u201e\xab"

_UNTERMINATED = {
    '"': ("string", 'end it with "'),
    "/": ("comment", "end it with */"),
    "t": ("text: block", "end it with a line that consists of ."),
}
"""First character of what is never ended -> what it is, and how to end it."""

COMMAND_POSITION = frozenset({"semicolon", "left_cbracket", "right_cbracket"})
"""The kinds of token after which a command may begin."""


class Mend(Enum):
    """How the token list is changed after a mistake, so that reading goes on."""

    DROP_STATEMENT = auto()
    DROP_TOKEN = auto()
    END_COMMAND = auto()
    """A `;` is inserted before the token."""
    JOIN_ELSE_IF = auto()
    QUOTE = auto()
    """The bare words from the token on become a string."""


class Mistake(NamedTuple):
    """Why a token is not allowed: a problem whose place is the token's."""

    message: str
    hint: str = ""
    rule: str = "syntax"
    mend: Mend = Mend.DROP_STATEMENT


class Token:
    """One token: `kind` as sievelib calls it, its text and place. `invalid` says why it can never be a token, `mistake` why
    it is not allowed where it is.

    It is handed to sievelib as if it were the bytes of the token. `decode` gives what sievelib looks at: a name for an
    identifier, and the token itself, with its place, for everything that becomes an argument. `end` is given for a token
    that takes the place of others.
    """

    __slots__ = ("end", "index", "invalid", "kind", "mistake", "name", "start", "text")

    def __init__(self, kind: str, text: str, start: int, end: int | None = None) -> None:
        self.kind = kind
        self.text = text
        self.start = start
        self.end = start + len(text) if end is None else end
        self.name = ""
        self.invalid: Mistake | None = None
        self.mistake: Mistake | None = None
        self.index = 0

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)

    def decode(self, *_: str) -> object:
        return self.name or self

    def __len__(self) -> int:
        return len(self.text)

    def __str__(self) -> str:
        return self.text


class Comment(NamedTuple):
    """A comment, with the `#` or the `/*` and `*/`."""

    text: str
    span: Span


def tokenize(text: str, bounds: limits.ScriptBounds) -> tuple[list[Token], list[Comment]]:
    """The tokens of `text`, without comments and white space, and its comments; both in order. Ends after the first token
    beyond the bounds."""
    tokens: list[Token] = []
    words = 0
    comments: list[Comment] = []
    at = 1 if text.startswith("\ufeff") else 0  # a byte order mark has no meaning in UTF-8
    match = _TOKEN.match
    end = len(text)
    while at < end:
        m = match(text, at)
        assert m is not None  # the last alternative takes any character  # noqa: S101
        kind = m.lastgroup
        if kind == "blank":
            at = m.end()
            continue
        word = m[0]
        if kind == "comment":
            comments.append(Comment(word.rstrip("\r"), Span(at, at + len(word.rstrip("\r")))))
            at = m.end()
            continue
        if kind == "punctuation":
            token = Token(PUNCTUATION[word], word, at)
        elif kind in ("multiline", "open", "invalid"):
            token = _string(text, at, m, comments)
        else:
            token = Token(kind or "", word, at)
            words += kind == "identifier"
        token.index = len(tokens)
        tokens.append(token)
        at = token.end
        if words > bounds.words or token.index >= bounds.tokens:
            break
    return tokens, comments


def _string(text: str, at: int, m: re.Match[str], comments: list[Comment]) -> Token:
    """The token of a multi-line string, or of what is not a token; the grammar takes each as a string."""
    word = m[0]
    if m.lastgroup == "multiline":
        dot = _DOT.search(text, m.end())
        if dot is not None:
            token = Token("string", text[at : dot.end()], at)
            if m["junk"] is not None:
                token.invalid = Mistake("the text must begin on the line after text:")
            if m["note"] is not None:
                note = m["note"].rstrip("\r")
                comments.append(Comment(note, Span(m.start("note"), m.start("note") + len(note))))
            return token
    if m.lastgroup == "invalid":
        token = Token("string", word, at)
        token.invalid = _invalid(word)
        return token
    token = Token("string", text[at:], at)
    what, hint = _UNTERMINATED[word[0].lower()]
    token.invalid = Mistake(f"unterminated {what}", hint)
    return token


def _invalid(word: str) -> Mistake:
    if word[0] in "0123456789":
        return Mistake(f'invalid number "{word[:20]}"', "write digits, then at most one of K, M and G")
    shown = "".join(c if c.isprintable() else f"\\x{ord(c) & 0xFF:02x}" for c in word[:20])
    hint = 'write strings in double quotes: "..."' if word[0] in _QUOTES else ""
    return Mistake(f'unexpected character{"s" * (len(word) > 1)} "{shown}"', hint)


_ESCAPE = re.compile(r"\\([\s\S])")
_NEWLINE = re.compile(r"\r?\n")


def unquote(token: Token) -> str:
    """The value of a string token. Newlines become CRLF, whatever they are in the file, so that a script means the same
    wherever it was stored."""
    text = token.text
    if text[0] == '"':
        value = text[1:-1]
        if "\\" in value:
            value = _ESCAPE.sub(r"\1", value)  # RFC 5228, 2.4.2: of an undefined escape the backslash is ignored
        return _NEWLINE.sub("\r\n", value) if "\n" in value else value
    lines = text.split("\n")[1:]  # the first line is text: itself
    if lines[-1] == "":
        lines.pop()
    lines.pop()  # the dot
    # RFC 5228, 2.4.2: only a doubled dot is dot-stuffing; ".foo" is ".foo"
    unstuffed = (line[1:] if line.startswith("..") else line for line in lines)
    return "".join(line.removesuffix("\r") + "\r\n" for line in unstuffed)


_QUANTIFIER = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def number(token: Token) -> int:
    """The value of a number token. RFC 5228, 2.4.1: K, M and G are powers of 1,024. A number of 19 digits or more is read
    as 10**18: it is a mistake, and multiplying out its digits could take long."""
    digits, quantifier = token.text, 1
    if not digits[-1].isdigit():
        digits, quantifier = digits[:-1], _QUANTIFIER[digits[-1].upper()]
    digits = digits.lstrip("0") or "0"
    return (int(digits) if len(digits) < 19 else 10**18) * quantifier


def nesting(tokens: Sequence[Token]) -> Problem | None:
    """The problem of a script whose blocks or tests are nested too deeply, found before anything builds a tree of it."""
    blocks = depth = 0
    outer: list[int] = []
    """The depth of each open list of tests."""
    in_strings = False  # a comma between strings does not end a test
    tests_follow = False  # the statement is an `if`: what follows are tests, not text without quotes
    too_deep: Token | None = None
    previous = "semicolon"
    for token in tokens:
        kind = token.kind
        if kind in COMMAND_POSITION:
            if kind == "left_cbracket":
                tests_follow = True  # any command with a block may take tests
                blocks += 1
            elif kind == "right_cbracket":
                blocks = max(0, blocks - 1)
            if blocks > limits.BLOCK_NESTING:
                return Problem(_TOO_DEEP, f"blocks are nested more than {limits.BLOCK_NESTING} deep", token.span)
        elif kind == "identifier":
            if previous in COMMAND_POSITION:
                tests_follow = token.text.lower() in ("if", "elsif")
            else:
                depth += 1
        elif kind == "left_parenthesis":
            outer.append(depth)
        elif kind in ("left_bracket", "right_bracket"):
            in_strings = kind == "left_bracket"
        elif kind == "comma" and outer and not in_strings:
            depth = outer[-1]
        elif kind == "right_parenthesis" and outer:
            depth = outer.pop()
        if too_deep is None and (depth > limits.TEST_NESTING or len(outer) > limits.TEST_NESTING):
            too_deep = token
        if too_deep is not None and tests_follow:
            return Problem(_TOO_DEEP, f"tests are nested more than {limits.TEST_NESTING} deep", too_deep.span)
        if kind in COMMAND_POSITION:
            depth, too_deep = 0, None
            outer.clear()
        previous = kind
    return None


_TOO_DEEP = "nesting-too-deep"


def statement_text(text: str, start: int) -> str:
    """The command or test that begins at `start` in `text`, up to its block or its end: on one line, without comments, cut
    to 60 characters. For people: a trace, a list."""
    words: list[str] = []
    depth = length = 0
    at = start
    while at < len(text) and length <= _EXCERPT:
        m = _TOKEN.match(text, at)
        assert m is not None  # the last alternative takes any character  # noqa: S101
        at = m.end()
        word = m[0]
        if m.lastgroup in ("blank", "comment"):
            continue
        if m.lastgroup == "multiline":
            dot = _DOT.search(text, at)
            begin, end = at, len(text) if dot is None else dot.start()
            at = end if dot is None else dot.end()
            word = f"text: {text[begin : min(end, begin + _EXCERPT)]}"
        depth += (word in _OPENING) - (word in _CLOSING)
        if word in _ENDS or depth < 0 or (word == "," and not depth):
            break
        if words and word not in _TIGHT and words[-1] not in _OPENING:
            words.append(" ")
        words.append(" ".join(word[: 2 * _EXCERPT].split()))
        length += len(words[-1])
    line = "".join(words)
    return line if len(line) <= _EXCERPT else f"{line[: _EXCERPT - 3]}..."


_EXCERPT = 60
_OPENING, _CLOSING = ("(", "["), (")", "]")
_ENDS, _TIGHT = (";", "{", "}"), (",", ")", "]")
