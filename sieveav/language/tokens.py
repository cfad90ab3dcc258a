"""tokens: script text to tokens with places, and what can be said of them before any grammar.

The lexical rules are RFC 5228, 8.1. Every pattern is possessive or a plain class, so reading is linear in the text; a
string, comment or `text:` that never ends is one token that takes the rest, else each start of one would be tried to the
end of the text again.
"""

from __future__ import annotations

import re

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
    r"""(?P<blank>[ \t\r\n\0]++|\#[^\n]*+|/\*[^*]*+\*++(?:[^/*][^*]*+\*++)*+/)
      |(?P<string>"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+")
      |(?P<punctuation>[\[\](){};,])
      |(?P<multiline>(?i:text):[ \t]*+(?:\#[^\n]*+|\r?|(?P<junk>[^\n]++))\n)
      |(?P<open>["]|/\*|(?i:text):)
      |(?P<identifier>[A-Za-z_][A-Za-z0-9_]*+)
      |(?P<tag>:[A-Za-z_][A-Za-z0-9_]*+)
      |(?P<number>[0-9]++[KkMmGg]?+(?![A-Za-z0-9_]))
      |(?P<wrong>[0-9][A-Za-z0-9_]*+|[^\s\0"\#:;,{}()\[\]A-Za-z0-9_/]++|.|\s)""",
    re.VERBOSE,
)

_DOT = re.compile(r"^\.\r?(?:\n|\Z)", re.MULTILINE)
"""The line that ends a multi-line string."""

_QUOTES = "'`\u2018\u2019\u201c\u201d\u201e\xab"

NEVER_ENDS = {'"': "string", "/": "comment"}


class Token:
    """One token: `kind` as sievelib calls it, its text and place. `wrong` says why it can be no token at all, `fault` why
    it cannot stand where it does; both are a message and a hint.

    It is handed to sievelib as if it were the bytes of the token: `decode` gives what sievelib looks at, which is a name
    for an identifier and the token itself, place and all, for everything that ends up as an argument.
    """

    __slots__ = ("fault", "index", "kind", "name", "start", "text", "wrong")

    def __init__(self, kind: str, text: str, start: int) -> None:
        self.kind = kind
        self.text = text
        self.start = start
        self.name = ""
        self.wrong: tuple[str, str] | None = None
        self.fault: tuple[str, str] | None = None
        self.index = 0

    @property
    def span(self) -> Span:
        return Span(self.start, self.start + len(self.text))

    def decode(self, *_: str) -> object:
        return self.name or self

    def __len__(self) -> int:
        return len(self.text)

    def __str__(self) -> str:
        return self.text


def tokenize(text: str) -> list[Token]:
    """The tokens of `text`, comments and white space left out; what is no token says so in `wrong`."""
    found: list[Token] = []
    at = 1 if text.startswith("\ufeff") else 0  # a byte order mark says nothing in UTF-8
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
        if kind == "multiline":
            dot = _DOT.search(text, m.end())
            kind, word = ("open", word) if dot is None else ("string", text[at : dot.end()])
        if kind == "punctuation":
            token = Token(PUNCTUATION[word], word, at)
        elif kind == "open":
            what = NEVER_ENDS.get(word[0], "text: block")
            token = Token("string", text[at:], at)
            hint = {"string": 'end it with "', "comment": "end it with */"}.get(
                what, "end it with a line holding only ."
            )
            token.wrong = (f"this {what} never ends", hint)
        elif kind == "wrong":
            token = Token("string", word, at)
            token.wrong = (_wrong(word), 'a string stands in " and "' if word[0] in _QUOTES else "")
        else:
            token = Token(kind or "", word, at)
            if m["junk"] is not None:
                token.wrong = ("the text of text: begins on the next line", "")
        token.index = len(found)
        found.append(token)
        at += len(token.text)
    return found


def _wrong(word: str) -> str:
    if word[0] in "0123456789":
        return f'"{word[:20]}" is no number: digits, then K, M or G at most'
    shown = "".join(c if c.isprintable() else f"\\x{ord(c) & 0xFF:02x}" for c in word[:20])
    return f'"{shown}" means nothing here'


_ESCAPE = re.compile(r"\\([\s\S])")
_NEWLINE = re.compile(r"\r?\n")


def unquote(token: Token) -> str:
    """The value of a string token. Newlines become CRLF, whatever the file's own are, so that a script means the same
    wherever it was stored."""
    text = token.text
    if text[0] == '"':
        value = text[1:-1]
        if "\\" in value:
            value = _ESCAPE.sub(r"\1", value)  # RFC 5228, 2.4.2: an undefined escape stands for its character
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
    """The value of a number token. RFC 5228, 2.4.1: K, M and G are powers of 1,024. A number too long to be meant is
    read as the largest that can be written down, so that its digits are never multiplied out."""
    digits, quantifier = token.text, 1
    if not digits[-1].isdigit():
        digits, quantifier = digits[:-1], _QUANTIFIER[digits[-1].upper()]
    digits = digits.lstrip("0") or "0"
    return (int(digits) if len(digits) < 19 else 10**18) * quantifier


def nesting(tokens: list[Token]) -> Problem | None:
    """The problem of a script whose blocks or tests nest too deep, found before anything builds a tree of it."""
    blocks = depth = 0
    saved: list[int] = []
    listing = False  # a comma between strings ends no test
    previous = "semicolon"
    for token in tokens:
        kind = token.kind
        if kind == "identifier":
            if previous not in _BEFORE_COMMAND:
                depth += 1
        elif kind == "left_cbracket":
            blocks += 1
            depth = 0
            saved.clear()
        elif kind == "right_cbracket":
            blocks = max(0, blocks - 1)
            depth = 0
        elif kind == "left_parenthesis":
            saved.append(depth)
        elif kind in ("left_bracket", "right_bracket"):
            listing = kind == "left_bracket"
        elif kind == "comma" and saved and not listing:
            depth = saved[-1]
        elif kind == "right_parenthesis" and saved:
            depth = saved.pop()
        elif kind == "semicolon":
            depth = 0
            saved.clear()
        previous = kind
        if blocks > limits.BLOCK_NESTING:
            return Problem("too-deep", f"blocks nest deeper than {limits.BLOCK_NESTING}", token.span)
        if depth > limits.TEST_NESTING or len(saved) > limits.TEST_NESTING:
            return Problem("too-deep", f"tests nest deeper than {limits.TEST_NESTING}", token.span)
    return None


_BEFORE_COMMAND = frozenset({"semicolon", "left_cbracket", "right_cbracket"})
