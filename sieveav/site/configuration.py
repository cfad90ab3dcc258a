r"""configuration: the text of a configuration file to a tree of stanzas, and all its syntax problems.

The syntax is that of Momentum's ecelerity.conf. A line end is white space:

    kind { … }    kind "instance" { … }    name = value    # comment

A value is a bare word, a "quoted string" (on one line; its escapes are \" and \\), or several of them: ( "a" "b" ) or
"a", "b". What the names mean is not known here, but in `settings`.

The text is read in three steps. PLY's lexer cuts it into tokens. A look ahead then marks the words that start a setting
(NAME) or a stanza (KIND, INSTANCE); what other configuration languages write there is reported, and read as what it means.
The marked tokens always fit the grammar, PLY's too, so that no problem hides another.

Over 400 lines, because each common mistake has a message of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from threading import Lock
from types import SimpleNamespace
from typing import Any

from sieveav.language.problems import Problem, Source, Span
from sieveav.limits import MIB, PROBLEMS
from sieveav.options import Written

SIZE = 1 * MIB
"""Characters of a configuration file; nobody writes that many."""

NESTING = 16
"""Stanzas within stanzas; only two levels mean anything."""

QUOTED = 60
"""Characters that a message quotes at most of one piece of the text."""


@dataclass(frozen=True)
class Setting:
    """`name = value`; `span` covers all of it."""

    name: str
    value: Written
    span: Span
    name_span: Span
    value_span: Span


@dataclass(frozen=True)
class Stanza:
    """`kind "instance" { … }`; without a name `instance` and its span are None. `span` covers all of it."""

    kind: str
    instance: str | None
    settings: tuple[Setting, ...]
    stanzas: tuple[Stanza, ...]
    span: Span
    kind_span: Span
    instance_span: Span | None = None


def read(source: Source) -> tuple[tuple[Stanza, ...], list[Problem]]:
    """The stanzas of `source` and its syntax problems in order, PROBLEMS at most. Accepts any text and never raises.

    The rule is `syntax`, or `setting-misplaced` for a setting outside any stanza.
    """
    if len(source.text) > SIZE:
        message = f"the file is too long: {len(source.text)} characters, the limit is {SIZE}"
        return (), [Problem("syntax", message, Span(0, 1))]
    reader = _Reader(source.text)
    with _PARSING:  # PLY's parser keeps its stacks in itself
        items: list[Setting | Stanza] = _parser().parse(lexer=reader)
    for item in items:
        if isinstance(item, Setting) and item.span.start < reader.first_section:
            message, hint = f'"{_cut(item.name)}" is outside any stanza', "write it between the { and } of a stanza"
            reader.report(message, item.name_span, hint, rule="setting-misplaced")
    stanzas = tuple(item for item in items if isinstance(item, Stanza))
    return stanzas, sorted(reader.problems, key=lambda problem: problem.span)


@dataclass(slots=True)
class _Token:
    """A token as PLY needs it, with `type` and `value`; its value is the token itself, so that the grammar has its span.

    `text` is without quotes and escapes if it was `quoted`. `is_value`: by the token before it, it is a value or part of
    one. `leads`: it is not, and is the first on its line or in its block.
    """

    type: str
    text: str
    span: Span
    quoted: bool = False
    is_value: bool = False
    leads: bool = False

    @property
    def value(self) -> _Token:
        return self


_CONTROL = r"\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff"
"""Characters that are not allowed anywhere; the surrogates are bytes that were not UTF-8."""

# The rules of PLY's lexer. Together they match every character, because PLY takes quadratic time for what is left over; no
# two match the same first character, because PLY sorts them by length. SINGLE, SEMICOLON and BAD are always mistakes.
_LEXICON = {
    "WORD": rf"""[^\s{_CONTROL}{{}}()=,;"'\#][^\s{{}}()=,;"\#]*+""",
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
def _lexer() -> Any:
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

_Marked = tuple[int, list[_Token]]
"""The index of the next token that is not marked yet, and what the tokens before it have become."""


class _Reader:
    """Reads one text: it has the tokens for PLY's parser, in place of PLY's lexer, and keeps the problems."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self.first_section = len(text)
        """Offset of the first `[section]`. The settings after it are outside any stanza because of it."""
        end = _Token("END", "", Span(len(text), len(text)))
        self.tokens = [*self._balanced(self._lexed()), *[end] * _AHEAD]
        self._marked = self._mark()

    def token(self) -> _Token | None:
        """The next token for PLY's parser."""
        return next(self._marked, None)

    def report(self, message: str, span: Span, hint: str = "", rule: str = "syntax") -> None:
        if len(self.problems) < PROBLEMS:
            self.problems.append(Problem(rule, message, span, hint))

    def written(self, token: _Token) -> str:
        """`token` exactly as in the text, but cut if it is long."""
        return _cut(self.text[token.span.start : token.span.end])

    def shown(self, token: _Token) -> str:
        """`token` in quotes, for a message."""
        return self.written(token) if token.quoted else f'"{self.written(token)}"'

    def same_line(self, before: Span, after: Span) -> bool:
        return "\n" not in self.text[before.end : after.start]

    # From text to tokens. Words and strings become VALUE, the ":" after a name becomes COLON.

    def _lexed(self) -> Iterator[_Token]:
        lexer = _lexer().clone()
        lexer.input(self.text.removeprefix("\ufeff"))
        shift = len(self.text) - len(lexer.lexdata)
        previous, bracket = _Token("LBRACE", "{", Span(0, 0)), ""
        for lexed in lexer:
            if len(self.problems) == PROBLEMS:  # this is not a configuration
                return
            start = lexed.lexpos + shift
            token = _Token(lexed.type, lexed.value, Span(start, start + len(lexed.value)))
            starts_line = previous.span.end == 0 or not self.same_line(previous.span, token.span)
            after_operator = previous.type in ("EQUALS", "COMMA") or (previous.type == "COLON" and not starts_line)
            token.is_value = bool(bracket) or after_operator
            token.leads = not token.is_value and (starts_line or previous.type in ("LBRACE", "RBRACE"))
            comment_end = self._comment_end(token, starts_line)
            if comment_end:
                lexer.lexpos = comment_end - shift
                continue
            if token.type != "WORD":
                parts = _MENDING[token.type](self, token) if token.type in _MENDING else [token]
            elif token.is_value:
                parts = self._value(token, bracket)
            else:
                parts = self._word(token, previous)
            for part in parts:
                yield part
                previous = part
                if part.type in ("LPAREN", "RPAREN", "LBRACE", "RBRACE"):
                    bracket = part.text if part.type == "LPAREN" else ""

    def _comment_end(self, token: _Token, starts_line: bool) -> int:
        """The offset after a comment in another language's style, which is reported; 0 if `token` does not begin one."""
        mark = token.text[:2]
        if token.type == "SEMICOLON":
            comment = _INI_COMMENT.match(self.text, token.span.start) if starts_line else None
        elif token.type == "WORD" and (token.text == mark or not token.is_value):  # a path may begin with //
            comment = _FOREIGN_COMMENT.match(self.text, token.span.start)
        else:
            comment = None
        if comment is None:
            return 0
        start, end = comment.span()
        span, message = Span(start, start + len(mark)), f'"{mark}" does not begin a comment'
        self.report(message, span, "write # instead: a comment ends with its line")
        closed = self.text.find("*/", start + 2) if mark == "/*" else -1
        return end if closed < 0 else closed + 2

    def _value(self, token: _Token, bracket: str) -> list[_Token]:
        """A bare word that is a value. [ and ] are reported, and read as the ( and ) of a list."""
        self._check_characters(token.text, token.span.start)
        text, start = token.text, token.span.start
        opens = not bracket and text.startswith("[") and not _ADDRESS.match(text)
        if opens:
            self.report("a list is not written in [ ]", Span(start, start + 1), 'write ( "a" "b" )')
        closes = (opens or bracket == "[") and text.count("]") > text.count("[") - opens
        return _split(token, ("LPAREN", opens), ("VALUE", len(text) - closes), ("RPAREN", len(text)))

    def _word(self, token: _Token, previous: _Token) -> list[_Token]:
        """A bare word where a setting or stanza may start, as one VALUE or as `name`, `:` and `value`."""
        self._check_characters(token.text, token.span.start)
        text, colon = token.text, -1
        if text.startswith(":") and previous.quoted and previous.span.end == token.span.start:  # "name":value
            colon = 0
        elif text.endswith(":") and not text.endswith("::"):  # name: value, name : value
            colon = len(text) - 1
        elif token.leads and (pair := _NAME_COLON_VALUE.match(self.text, token.span.start)):  # name:value
            colon = len(pair[1])
        return _split(token, ("VALUE", colon), ("COLON", colon + 1), ("VALUE", len(text)))

    def _string(self, token: _Token) -> list[_Token]:
        """The string without quotes and escapes; one that is broken is still a string."""
        start, text = token.span.start + 1, token.text[1:]
        if _CLOSED.fullmatch(text):
            text = text[:-1]
        else:
            text = text.rstrip("\r")
            token.span = Span(start - 1, start + len(text))
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

    def _single(self, token: _Token) -> list[_Token]:
        text = token.text[1:].removesuffix("\r").removesuffix("'")
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        self.report("string in single quotes", token.span, f'write "{_cut(escaped)}"')
        return _quoted(token, text)

    def _semicolon(self, token: _Token) -> list[_Token]:
        self.report('unexpected ";"', token.span, "leave it out: settings and stanzas end without it")
        return []

    def _bad(self, token: _Token) -> list[_Token]:
        self._report_character(token.text[0], token.span)
        return []

    def _check_characters(self, text: str, start: int) -> None:
        for run in _NOT_ALLOWED.finditer(text):
            self._report_character(run[0][0], Span(start + run.start(), start + run.end()))

    def _report_character(self, character: str, span: Span) -> None:
        name = "a byte that is not UTF-8" if "\ud800" <= character <= "\udfff" else f"character U+{ord(character):04X}"
        self.report(f"{name} is not allowed", span, "write a space" if character.isspace() else "leave it out")

    def _balanced(self, tokens: Iterator[_Token]) -> Iterator[_Token]:
        """The tokens with one `}` for each `{`, without what is nested too deeply."""
        opened: list[_Token] = []
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
            yield _Token("RBRACE", "}", Span(len(self.text), len(self.text)))

    # The look ahead. A rule reads as another language's syntax only what would be a mistake otherwise.

    def _mark(self) -> Iterator[_Token]:
        """The tokens as the grammar needs them: words in front of `=` are NAME, and the `=` is left out; words in front of
        `{` are KIND and INSTANCE."""
        at = 0
        while self.tokens[at].type != "END":
            for rule in _RULES.get(self.tokens[at].type, ()):
                if marked := rule(self, at):
                    break
            else:
                marked = at + 1, [self.tokens[at]]
            at, tokens = marked
            yield from tokens

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
            value.type not in ("VALUE", "LPAREN") or not self.same_line(operator[-1].span, value.span)
        ):
            return None
        signs = "".join(sign.text for sign in operator)
        if signs != "=":
            span = Span(operator[0].span.start, operator[-1].span.end)
            self.report(f'a setting is written with "=", not "{_cut(signs)}"', span, self._as_setting(name, value))
        elif name.quoted:
            self.report("the name of a setting takes no quotes", name.span, self._as_setting(name, value))
        name.type = "NAME"
        return end, [name]

    def _operator_end(self, at: int) -> int:
        """The index after `=`, or what is written instead of it, at `at`; `at` if there is neither."""
        while self.tokens[at].type in ("EQUALS", "COLON"):
            at += 1
        return at

    def _as_setting(self, name: _Token, value: _Token) -> str:
        return f"write {_cut(name.text)} = {self.written(value) if value.type == 'VALUE' else '…'}"

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
            operator = Span(self.tokens[begin].span.start, self.tokens[end - 1].span.end)
            message = f'a stanza takes no "{_cut(self.text[slice(*operator)])}"'
            head = f"{_cut(kind.text)} {self.written(instance)}" if named else _cut(kind.text)
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
        span = Span(word.span.start, file.span.end)
        self.report(f'there is no "{word.text}"', span, f"write the contents of {self.written(file)} here")
        return at + 2, []

    def _section(self, at: int) -> _Marked | None:
        """The `[section]` of an INI file, which is reported."""
        section = _SECTION.match(self.text, self.tokens[at].span.start) if self.tokens[at].leads else None
        if not section:
            return None
        name = _cut(section[1].strip()) or "kind"
        hint = f"write {name} {{ … }}" + (f' or {name} "name" {{ … }}' if name.isidentifier() else "")
        self.report("a stanza is not written in [ ]", Span(*section.span()), hint)
        self.first_section = min(self.first_section, section.start())
        while self.tokens[at].type != "END" and self.tokens[at].span.start < section.end():
            at += 1
        return at, []

    def _no_equals(self, at: int) -> _Marked | None:
        """A name and its value without `=`, which is reported."""
        name, value = self.tokens[at : at + 2]
        if not name.leads or not _NAME_VALUE.match(self.text, name.span.start):
            return None
        span = Span(name.span.start, value.span.end)
        self.report(f'missing "=" after "{_cut(name.text)}"', span, self._as_setting(name, value))
        name.type = "NAME"
        return at + 1, [name]


_MENDING = {
    "STRING": _Reader._string,
    "SINGLE": _Reader._single,
    "SEMICOLON": _Reader._semicolon,
    "BAD": _Reader._bad,
}

_RULES: dict[str, tuple[Callable[[_Reader, int], _Marked | None], ...]] = {
    "LPAREN": (_Reader._list,),
    "COMMA": (_Reader._comma,),
    "VALUE": (_Reader._setting, _Reader._stanza, _Reader._include, _Reader._section, _Reader._no_equals),
}
"""The rules of the look ahead, by the type of the first token. A rule gets that token's index; None if it does not apply."""


def _quoted(token: _Token, text: str) -> list[_Token]:
    token.type, token.text, token.quoted = "VALUE", text, True
    return [token]


def _split(token: _Token, *parts: tuple[str, int]) -> list[_Token]:
    """A bare word cut into tokens of the types in `parts`, each up to an index in the word; no token for an empty part."""
    tokens: list[_Token] = []
    start, is_value = 0, token.is_value
    for kind, end in parts:
        if end > start:
            span = Span(token.span.start + start, token.span.start + end)
            tokens.append(replace(token, type=kind, text=token.text[start:end], span=span, is_value=is_value))
            start, is_value = end, is_value or kind == "COLON"
    return tokens


def _cut(text: str) -> str:
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}…"


class _Grammar:
    """PLY's grammar: the docstring of a method is its rules, its body computes their value. `p.lexer` is the `_Reader`.

    It takes any sequence of tokens in which braces are balanced and KIND and INSTANCE are in front of a block. The rules
    marked ITEM end where the next token cannot continue them.
    """

    tokens = ("NAME", "VALUE", "KIND", "INSTANCE", "EQUALS", "COLON", "COMMA", "LPAREN", "RPAREN", "LBRACE", "RBRACE")
    precedence = (("nonassoc", "ITEM"), ("nonassoc", "VALUE", "EQUALS", "COLON", "COMMA", "LPAREN", "RPAREN"))

    def p_no_items(self, p: Any) -> None:
        "items :"
        p[0] = []

    def p_items(self, p: Any) -> None:
        "items : items item"
        p[0] = p[1]
        if p[2] is not None:
            p[1].append(p[2])

    def p_setting(self, p: Any) -> None:
        """item : NAME value %prec ITEM
        | NAME value surplus %prec ITEM"""
        name, (value, span) = p[1], p[2]
        p[0] = Setting(name.text, value, Span(name.span.start, span.end), name.span, span)
        if len(p) == 4:
            _report_surplus(p.lexer, p[3][0], span)

    def p_no_value(self, p: Any) -> None:
        """item : NAME %prec ITEM
        | NAME RPAREN %prec ITEM
        | NAME COMMA %prec ITEM
        | NAME RPAREN surplus %prec ITEM
        | NAME COMMA surplus %prec ITEM"""
        name = _cut(p[1].text)
        p.lexer.report(f'"{name}" has no value', p[1].span, f"write {name} = …")

    def p_stanza(self, p: Any) -> None:
        """item : KIND block
        | KIND INSTANCE block"""
        kind, instance, (items, span) = p[1], p[2] if len(p) == 4 else None, p[len(p) - 1]
        p[0] = Stanza(
            kind=kind.text,
            instance=instance and instance.text,
            settings=tuple(item for item in items if isinstance(item, Setting)),
            stanzas=tuple(item for item in items if isinstance(item, Stanza)),
            span=Span(kind.span.start, span.end),
            kind_span=kind.span,
            instance_span=instance and instance.span,
        )

    def p_no_kind(self, p: Any) -> None:
        """item : block
        | INSTANCE block"""
        if len(p) == 3:
            hint = f"write kind {p.lexer.written(p[1])} {{ … }}, or {_cut(p[1].text)} {{ … }} without quotes"
            p.lexer.report("a stanza without a kind", p[1].span, hint)
        else:
            start = p[1][1].start
            p.lexer.report("a stanza without a kind", Span(start, start + 1), 'write kind { … } or kind "name" { … }')

    def p_block(self, p: Any) -> None:
        "block : LBRACE items RBRACE"
        p[0] = p[2], Span(p[1].span.start, p[3].span.end)

    def p_value(self, p: Any) -> None:
        "value : series %prec ITEM"
        texts = _values(p.lexer, p[1])
        p[0] = texts if len(texts) > 1 else texts[0], Span(p[1][0].span.start, p[1][-1].span.end)

    def p_value_in_parentheses(self, p: Any) -> None:
        """value : LPAREN listed RPAREN
        | LPAREN listed %prec ITEM"""
        if len(p) == 4:
            texts, end = _values(p.lexer, p[2]), p[3]
        else:
            p.lexer.report("unclosed list", p[1].span, "write ) at its end")
            texts, end = _texts(p[2]), [p[1], *p[2]][-1]
        p[0] = texts, Span(p[1].span.start, end.span.end)

    def p_nothing_listed(self, p: Any) -> None:
        "listed :"
        p[0] = []

    def p_first(self, p: Any) -> None:
        """series : VALUE
        surplus : unexpected"""
        p[0] = [p[1]]

    def p_next(self, p: Any) -> None:
        """series : series COMMA %prec ITEM
        | series COMMA VALUE
        listed : listed VALUE
        | listed COMMA
        | listed EQUALS
        | listed LPAREN
        surplus : surplus unexpected"""
        p[0] = p[1]
        p[0].extend(p[2:])

    def p_surplus(self, p: Any) -> None:
        "item : surplus %prec ITEM"
        _report_surplus(p.lexer, p[1][0])

    def p_unexpected(self, p: Any) -> None:
        """unexpected : VALUE
        | EQUALS
        | COLON
        | COMMA
        | LPAREN
        | RPAREN"""
        p[0] = p[1]

    def p_error(self, token: Any) -> None:
        raise AssertionError(f"the grammar does not take {token}")


def _report_surplus(reader: _Reader, token: _Token, value: Span | None = None) -> None:
    """Report the first of the tokens that belong to nothing, which may follow a value."""
    if value and token.type == "VALUE" and reader.same_line(value, token.span):
        hint = "write quotes around a value of several words, or ( ) around a list"
    elif token.type == "VALUE" and not token.quoted:
        hint = f"write {reader.written(token)} = …, or {reader.written(token)} {{ … }}"
    else:
        hint = "leave it out"
    reader.report(f"unexpected {reader.shown(token)}; not part of a setting", token.span, hint)


def _values(reader: _Reader, tokens: list[_Token]) -> tuple[str, ...]:
    """The values of a list. Commas that are not between values, and the first other sign, are reported."""
    types = ["", *(token.type for token in tokens), ""]
    for before, token, after in zip(types, tokens, types[2:], strict=False):
        if token.type == "COMMA" and (after != "VALUE" or not before):
            side = "before" if after == "VALUE" else "after"
            reader.report(f"missing value {side} comma", token.span, f"leave it out, or write a value {side} it")
    sign = next((token for token in tokens if token.type not in ("VALUE", "COMMA")), None)
    if sign:
        hint = "leave it out" if sign.type == "LPAREN" else "write quotes around a value that contains it"
        reader.report(f"unexpected {reader.shown(sign)} in a list", sign.span, hint)
    return _texts(tokens)


def _texts(tokens: list[_Token]) -> tuple[str, ...]:
    return tuple(token.text for token in tokens if token.type == "VALUE")


_PARSING = Lock()


@cache
def _parser() -> Any:
    from ply import yacc  # imported late, to keep start-up fast

    return yacc.yacc(module=_Grammar(), write_tables=False, debug=False, errorlog=yacc.NullLogger())
