"""config_tokens: the text of a configuration file to the tokens of its grammar, and its mistakes to problems.

PLY's lexer cuts the text into tokens. A look ahead then marks the words that start a setting (NAME) or a stanza (KIND,
INSTANCE). What other configuration languages write there is reported, and read as what it means. The grammar is in
`configuration`, and the tokens always fit it.

Over 400 lines, because each common mistake has a message of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

from sieveav.language.problems import Problem, Span
from sieveav.limits import PROBLEMS
from sieveav.printing import without_passwords

NESTING = 16
"""Stanzas within stanzas; only two levels mean anything."""

QUOTED = 60
"""Characters that a message quotes at most of one piece of the text."""


@dataclass(slots=True)
class Token:
    """A token as PLY needs it, with `type` and `value`. `start` and `end` are offsets in the text, the end exclusive.

    `text` is without quotes and escapes if it was `quoted`. `is_value`: by the token before it, it is a value or part of
    one. `leads`: it is not, and is the first on its line or in its block.
    """

    type: str
    text: str
    start: int
    end: int
    quoted: bool = False
    is_value: bool = False
    leads: bool = False

    @property
    def span(self) -> Span:  # not a field, because few tokens need it
        """Where it is in the text."""
        return Span(self.start, self.end)

    @property
    def value(self) -> Token:
        """The token itself, so that the grammar has its place."""
        return self


_CONTROL = r"\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff"
"""Characters that are not allowed anywhere; the surrogates are bytes that were not UTF-8."""

# The rules of PLY's lexer. Together they match every character, because PLY takes quadratic time for what is left over; no
# two match the same first character, because PLY sorts them by length. VALUE is a bare word here. SINGLE, SEMICOLON and BAD
# are always mistakes.
_LEXICON = {
    "VALUE": rf"""[^\s{_CONTROL}{{}}()=,;"'\#][^\s{{}}()=,;"\#]*+""",
    "STRING": r'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+(?:"|\\)?',
    "SINGLE": r"'[^'\n]*+'?",
    "EQUALS": "=[=>]?",
    "COMMA": ",",
    "LPAREN": r"\(",
    "RPAREN": r"\)",
    "LBRACE": r"\{",
    "RBRACE": r"\}",
    "SEMICOLON": ";",
    "BAD": rf"(?:[^\S\ \t\r\n\f\v]|[{_CONTROL}])++",
}


@cache
def _ply_lexer() -> Any:
    from ply import lex  # imported late, to keep start-up fast

    def never(token: Any) -> None:
        token.lexer.skip(1)

    rules = SimpleNamespace(
        __file__=__file__,
        tokens=tuple(_LEXICON),
        t_ignore=" \t\r\n\f\v",
        t_ignore_COMMENT=r"\#[^\n]*+",
        t_error=never,
        **{f"t_{name}": rule for name, rule in _LEXICON.items()},
    )
    return lex.lex(object=rules, errorlog=lex.NullLogger())


_SIGNS = frozenset({"EQUALS", "COMMA", "LPAREN", "RPAREN", "LBRACE", "RBRACE"})

_NOT_ALLOWED = re.compile(rf"[{_CONTROL}\f\v\r]+")
_CLOSED = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_FOREIGN_COMMENT = re.compile(r"/[/*][^\n]*+")
_INI_COMMENT = re.compile(r";[; \t\r]*+[^; \t\r\n][^\n]*+")
_ADDRESS = re.compile(r"\[[^\[\]:]*+:[^\[\]:]*+:[^\[\]]*+\]")
_NAME_COLON_VALUE = re.compile(r"""([A-Za-z_]\w*+):[^\s{}()=,;"#]++(?!\s*+[={])""")
_INCLUDE = re.compile(r"[!.@]?(?:readonly_)?include(?:_try)?", re.IGNORECASE)
_SECTION = re.compile(r"\[++([^\[\]{}\n]*+)\]++")
_NAME_VALUE = re.compile(
    r"""[A-Za-z_][\w.-]*+ [ \t]++ (?: \( | (?: "[^"\n]*+" | [^\s{}()=,;"\#\[]++ ) [ \t]*+ (?: [,;}\#\r\n] | \Z ) )""",
    re.VERBOSE,
)
"""A name and its value without `=` between them, where nothing else follows on the line."""

_AHEAD = 2
"""Tokens after the present one that a look ahead may need."""

_Marked = tuple[int, list[Token]]
"""The index of the next token that is not marked yet, and what the tokens before it have become."""


class Lexer:
    """The tokens of `text` for PLY's parser, in place of PLY's own lexer. Accepts any text and never raises.

    `problems` are those of the tokens taken so far, and what the parser reports, PROBLEMS at most. `first_section` is the
    offset of the first `[section]`: the settings after it are outside any stanza because of it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self.first_section = len(text)
        end = Token("END", "", len(text), len(text))
        self.tokens = [*self._balanced(self._lexed()), *[end] * _AHEAD]
        self._marked = self._mark()

    def token(self) -> Token | None:
        """The next token, None at the end."""
        return next(self._marked, None)

    def report(self, message: str, span: Span, hint: str = "", rule: str = "syntax") -> None:
        """Add a problem, unless there are too many already."""
        if len(self.problems) < PROBLEMS:
            self.problems.append(Problem(rule, message, span, hint))

    def written(self, token: Token) -> str:
        """`token` exactly as in the text, but cut if it is long."""
        return cut(self.text[token.start : token.end])

    def shown(self, token: Token) -> str:
        """`token` in quotes, for a message."""
        return self.written(token) if token.quoted else f'"{self.written(token)}"'

    def same_line(self, before: Token | Span, after: Token | Span) -> bool:
        """Whether there is no line end between the two."""
        return "\n" not in self.text[before.end : after.start]

    # From text to tokens. Strings become VALUE, and the ":" after a name becomes COLON.

    def _lexed(self) -> Iterator[Token]:
        lexer = _ply_lexer().clone()
        lexer.input(self.text)
        lexer.lexpos = int(self.text.startswith("\ufeff"))
        previous, bracket = Token("LBRACE", "{", 0, 0), ""
        for lexed in iter(lexer.token, None):
            if len(self.problems) == PROBLEMS:  # this is not a configuration
                return
            token = Token(lexed.type, lexed.value, lexed.lexpos, lexed.lexpos + len(lexed.value))
            if token.type in _SIGNS:
                parts = [token]
            else:
                starts_line = previous.end == 0 or not self.same_line(previous, token)
                after_operator = previous.type in {"EQUALS", "COMMA"} or (previous.type == "COLON" and not starts_line)
                token.is_value = after_operator or bool(bracket)
                token.leads = not token.is_value and (starts_line or previous.type in {"LBRACE", "RBRACE"})
                if token.text[0] in "/;" and (comment_end := self._comment_end(token, starts_line)):
                    lexer.lexpos = comment_end
                    continue
                if token.type in _MENDING:
                    parts = _MENDING[token.type](self, token)
                else:
                    parts = self._value(token, bracket) if token.is_value else self._word(token, previous)
            for part in parts:
                yield part
                previous = part
                if part.type in {"LPAREN", "RPAREN", "LBRACE", "RBRACE"}:
                    bracket = part.text if part.type == "LPAREN" else ""

    def _comment_end(self, token: Token, starts_line: bool) -> int:
        """The offset after a comment in another language's style, which is reported; 0 if `token` does not begin one."""
        mark = token.text[:2]
        if token.type == "SEMICOLON":
            comment = _INI_COMMENT.match(self.text, token.start) if starts_line else None
        elif token.text == mark or not token.is_value:  # a path may begin with //
            comment = _FOREIGN_COMMENT.match(self.text, token.start)
        else:
            comment = None
        if comment is None:
            return 0
        start, end = comment.span()
        span, message = Span(start, start + len(mark)), f'"{mark}" does not begin a comment'
        self.report(message, span, "write # instead: a comment ends with its line")
        closed = self.text.find("*/", start + 2) if mark == "/*" else -1
        return end if closed < 0 else closed + 2

    def _value(self, token: Token, bracket: str) -> list[Token]:
        """A bare word that is a value. [ and ] are reported, and read as the ( and ) of a list."""
        self._check_characters(token.text, token.start)
        text, start = token.text, token.start
        opens = not bracket and text.startswith("[") and not _ADDRESS.match(text)
        if opens:
            self.report("a list is not written in [ ]", Span(start, start + 1), 'write ( "a" "b" )')
        closes = (opens or bracket == "[") and text.count("]") > text.count("[") - opens
        if not opens and not closes:
            return [token]
        return _split(token, ("LPAREN", opens), ("VALUE", len(text) - closes), ("RPAREN", len(text)))

    def _word(self, token: Token, previous: Token) -> list[Token]:
        """A bare word where a setting or stanza may start, as one VALUE or as `name`, `:` and `value`."""
        self._check_characters(token.text, token.start)
        text = token.text
        if ":" not in text:
            return [token]
        colon = -1
        if text.startswith(":") and previous.quoted and previous.end == token.start:  # "name":value
            colon = 0
        elif text.endswith(":") and not text.endswith("::"):  # name: value, name : value
            colon = len(text) - 1
        elif token.leads and (pair := _NAME_COLON_VALUE.match(self.text, token.start)):  # name:value
            colon = len(pair[1])
        return _split(token, ("VALUE", colon), ("COLON", colon + 1), ("VALUE", len(text)))

    def _string(self, token: Token) -> list[Token]:
        """The string without quotes and escapes; one that is broken is still a string."""
        start, text = token.start + 1, token.text[1:]
        if _CLOSED.fullmatch(text):
            text = text[:-1]
        else:
            text = text.rstrip("\r")
            token.end = start + len(text)
            self.report("unterminated string", token.span, 'write " at its end')
        self._check_characters(text, start)
        if "\\" in text:
            text = _ESCAPE.sub(lambda escape: self._escaped(escape, start), text)
        return _quoted(token, text)

    def _escaped(self, escape: re.Match[str], start: int) -> str:
        if escape[1] in ('"', "\\"):
            return escape[1]
        if escape[1]:  # else the string is unterminated
            span = Span(start + escape.start(), start + escape.end())
            self.report(f"unknown escape {escape[0]}", span, "write \\\\ for a backslash")
        return escape[0]

    def _single(self, token: Token) -> list[Token]:
        text = token.text[1:].removesuffix("\r").removesuffix("'")
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        self.report("string in single quotes", token.span, f'write "{cut(escaped)}"')
        return _quoted(token, text)

    def _semicolon(self, token: Token) -> list[Token]:
        self.report('unexpected ";"', token.span, "leave it out: settings and stanzas end without it")
        return []

    def _bad(self, token: Token) -> list[Token]:
        self._report_character(token.text[0], token.span)
        return []

    def _check_characters(self, text: str, start: int) -> None:
        if text.isprintable():  # nearly always, and fast
            return
        for run in _NOT_ALLOWED.finditer(text):
            self._report_character(run[0][0], Span(start + run.start(), start + run.end()))

    def _report_character(self, character: str, span: Span) -> None:
        name = "a byte that is not UTF-8" if "\ud800" <= character <= "\udfff" else f"character U+{ord(character):04X}"
        self.report(f"{name} is not allowed", span, "write a space" if character.isspace() else "leave it out")

    def _balanced(self, tokens: Iterator[Token]) -> Iterator[Token]:
        """The tokens with one `}` for each `{`, without what is nested too deeply."""
        opened: list[Token] = []
        for token in tokens:
            if token.type == "RBRACE":
                if not opened:
                    self.report('unmatched "}"', token.span, "leave it out, or add the missing {")
                    continue
                opened.pop()
                if len(opened) > NESTING:
                    continue
            elif token.type == "LBRACE":
                opened.append(token)
                if len(opened) == NESTING + 1:
                    self.report(f"stanzas are nested more than {NESTING} deep", token.span)
                    yield token
                    continue
            if len(opened) <= NESTING:
                yield token
        for unclosed in opened[: NESTING + 1]:
            self.report('unclosed "{"', unclosed.span, "write } at the end of the stanza")
        for _ in opened[: NESTING + 1]:
            yield Token("RBRACE", "}", len(self.text), len(self.text))

    # The look ahead. A rule reads as another language's syntax only what would be a mistake otherwise.

    def _mark(self) -> Iterator[Token]:
        """The tokens as the grammar needs them: words in front of `=` are NAME, and the `=` is left out; words in front of
        `{` are KIND and INSTANCE."""
        at = 0
        while (token := self.tokens[at]).type != "END":
            for rule in _RULES.get(token.type, ()):
                if marked := rule(self, at):
                    at, tokens = marked
                    yield from tokens
                    break
            else:
                at += 1
                yield token

    def _list(self, at: int) -> _Marked | None:
        """A list that is closed: nothing in it starts a setting or a stanza."""
        end = at + 1
        while self.tokens[end].type in ("VALUE", "COMMA", "EQUALS"):
            end += 1
        return (end + 1, self.tokens[at : end + 1]) if self.tokens[end].type == "RPAREN" else None

    def _comma(self, at: int) -> _Marked | None:
        """The comma before `"name": value`, which is part of the mistake that is reported there."""
        return (at + 1, []) if [token.type for token in self.tokens[at + 1 : at + 3]] == ["VALUE", "COLON"] else None

    def _setting(self, at: int) -> _Marked | None:
        """A name in front of `=`, or of `:`, `=>`, `:=` and the like, which are reported."""
        name, end = self.tokens[at], self._operator_end(at + 1)
        operator, value = self.tokens[at + 1 : end], self.tokens[end]
        if not operator or value.type == "LBRACE":
            return None
        if all(sign.type == "COLON" for sign in operator) and (
            value.type not in ("VALUE", "LPAREN") or not self.same_line(operator[-1], value)
        ):
            return None
        signs = "".join(sign.text for sign in operator)
        if signs != "=":
            span = Span(operator[0].start, operator[-1].end)
            self.report(f'a setting is written with "=", not "{cut(signs)}"', span, self._as_setting(name, value))
        elif name.quoted:
            self.report("the name of a setting takes no quotes", name.span, self._as_setting(name, value))
        name.type = "NAME"
        return end, [name]

    def _operator_end(self, at: int) -> int:
        """The index after `=`, or what is written instead of it, at `at`; `at` if there is neither."""
        while self.tokens[at].type in ("EQUALS", "COLON"):
            at += 1
        return at

    def _as_setting(self, name: Token, value: Token) -> str:
        return f"write {cut(name.text)} = {self.written(value) if value.type == 'VALUE' else '…'}"

    def _stanza(self, at: int) -> _Marked | None:
        """The words in front of `{`. Any `=` or `:` between them and the `{` is reported."""
        kind, instance = self.tokens[at], self.tokens[at + 1]
        begin = at + 1
        end = self._operator_end(begin)
        named = end == begin and instance.type == "VALUE" and not kind.quoted and not kind.is_value
        if named:  # not so in `timeout = 20 clamav {`
            begin = at + 2
            end = self._operator_end(begin)
        if self.tokens[end].type != "LBRACE":
            return None
        if end > begin:
            operator = Span(self.tokens[begin].start, self.tokens[end - 1].end)
            message = f'a stanza takes no "{cut(self.text[slice(*operator)])}"'
            head = f"{cut(kind.text)} {self.written(instance)}" if named else cut(kind.text)
            self.report(message, operator, f"write {head} {{ … }}")
        kind.type = "INSTANCE" if kind.quoted and end == begin else "KIND"
        if named:
            instance.type = "INSTANCE"
        return end, [kind, instance] if named else [kind]

    def _include(self, at: int) -> _Marked | None:
        """`include "file"`, which is reported."""
        word, file = self.tokens[at : at + 2]
        if not word.leads or word.quoted or file.type != "VALUE" or not _INCLUDE.fullmatch(word.text):
            return None
        span = Span(word.start, file.end)
        self.report(f'there is no "{word.text}"', span, f"write the contents of {self.written(file)} here")
        return at + 2, []

    def _section(self, at: int) -> _Marked | None:
        """The `[section]` of an INI file, which is reported."""
        section = _SECTION.match(self.text, self.tokens[at].start) if self.tokens[at].leads else None
        if not section:
            return None
        name = cut(section[1].strip()) or "kind"
        hint = f"write {name} {{ … }}" + (f' or {name} "name" {{ … }}' if name.isidentifier() else "")
        self.report("a stanza is not written in [ ]", Span(*section.span()), hint)
        self.first_section = min(self.first_section, section.start())
        while self.tokens[at].type != "END" and self.tokens[at].start < section.end():
            at += 1
        return at, []

    def _no_equals(self, at: int) -> _Marked | None:
        """A name and its value without `=`, which is reported."""
        name, value = self.tokens[at : at + 2]
        if not name.leads or not _NAME_VALUE.match(self.text, name.start):
            return None
        span = Span(name.start, value.end)
        self.report(f'missing "=" after "{cut(name.text)}"', span, self._as_setting(name, value))
        name.type = "NAME"
        return at + 1, [name]


_MENDING = {
    "STRING": Lexer._string,
    "SINGLE": Lexer._single,
    "SEMICOLON": Lexer._semicolon,
    "BAD": Lexer._bad,
}

_RULES: dict[str, tuple[Callable[[Lexer, int], _Marked | None], ...]] = {
    "LPAREN": (Lexer._list,),
    "COMMA": (Lexer._comma,),
    "VALUE": (Lexer._setting, Lexer._stanza, Lexer._include, Lexer._section, Lexer._no_equals),
}
"""The rules of the look ahead, by the type of the first token. A rule gets that token's index; None if it does not apply."""


def _quoted(token: Token, text: str) -> list[Token]:
    token.type, token.text, token.quoted = "VALUE", text, True
    return [token]


def _split(token: Token, *parts: tuple[str, int]) -> list[Token]:
    """A bare word cut into tokens of the types in `parts`, each up to an index in the word; no token for an empty part."""
    tokens: list[Token] = []
    start, is_value = 0, token.is_value
    for kind, end in parts:
        if end > start:
            part = replace(token, type=kind, text=token.text[start:end], is_value=is_value)
            part.start, part.end = token.start + start, token.start + end
            tokens.append(part)
            start, is_value = end, is_value or kind == "COLON"
    return tokens


def cut(text: str) -> str:
    """`text` for a message: at most QUOTED characters of it, without a password."""
    text = without_passwords(text)
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}…"
