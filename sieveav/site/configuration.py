"""configuration: the text of a configuration file becomes a tree of stanzas, and every syntax problem it has.

The syntax is that of Momentum's ecelerity.conf, line ends being white space:

    kind { … }    kind "instance" { … }    name = value    # comment

A value is a bare word, a "quoted string" (which ends on its line; \\" and \\\\ are its escapes), or several of them:
( "a" "b" ) or "a", "b". What the names mean is of no concern here: `checking` knows.

The text is cut into tokens by PLY's lexer. One look ahead then tells what starts a setting (a word before `=`) and what
starts a stanza (a word before `{`), and braces are balanced; so the grammar, PLY's too, can take up again after an
error at the next setting, stanza or closing brace, and no error hides another.

Over 400 lines, for the tokens and the grammar share the recovery: either half is hard to follow without the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from threading import Lock
from types import SimpleNamespace
from typing import Any

from sieveav.language.problems import Problem, Source, Span
from sieveav.limits import MIB, PROBLEMS
from sieveav.options import Written

SIZE = 1 * MIB
"""Characters of a configuration file; nobody writes as many."""

NESTING = 16
"""Stanzas within stanzas; the deepest that means anything is two."""


@dataclass(frozen=True)
class Setting:
    """`name = value`; `span` is all of it."""

    name: str
    value: Written
    span: Span
    name_span: Span
    value_span: Span


@dataclass(frozen=True)
class Stanza:
    """`kind "instance" { … }`; `instance` and its span are None when there is none, `span` is all of it."""

    kind: str
    instance: str | None
    settings: tuple[Setting, ...]
    stanzas: tuple[Stanza, ...]
    span: Span
    kind_span: Span
    instance_span: Span | None = None


def read(source: Source) -> tuple[tuple[Stanza, ...], list[Problem]]:
    """The stanzas of `source`, as many as can be made out, and its syntax problems in order, PROBLEMS at most.

    Any text will do: whatever is wrong is a problem (rule `syntax`; `misplaced` for a setting outside every stanza).
    """
    if len(source.text) > SIZE:
        message = f"a configuration file of {len(source.text)} characters: at most {SIZE} are read"
        return (), [Problem("syntax", message, Span(0, 1))]
    reading = _Reading(source.text)
    with _PARSING:  # PLY's parser keeps its stacks in itself
        items: list[Setting | Stanza] = _parser().parse(lexer=reading)
    for item in items:
        if isinstance(item, Setting):
            reading.complain(f'"{item.name}" stands outside every stanza', item.name_span, rule="misplaced")
    stanzas = tuple(item for item in items if isinstance(item, Stanza))
    return stanzas, sorted(reading.problems, key=lambda problem: problem.span)


class _Token:
    """A token as PLY wants it (`type`, `value`, `lexer`); its value is itself, so that the grammar knows its place."""

    __slots__ = ("end", "lexer", "start", "text", "type")

    def __init__(self, kind: str, text: str, start: int, end: int) -> None:
        self.type, self.text, self.start, self.end = kind, text, start, end

    @property
    def value(self) -> _Token:
        return self

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


_ODD = r"\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff"
"""Characters that stand nowhere; the last of them are bytes that were not UTF-8."""

# PLY's rules of the lexer. Together they match every character, for PLY's own way with what is left over is quadratic;
# no two begin alike, for PLY orders them by length. SINGLE, SEMICOLON and BAD are there to be complained of.
_LEXICON = {
    "WORD": rf"""[^\s{_ODD}{{}}()=,;"'\#][^\s{_ODD}{{}}()=,;"\#]*+""",
    "STRING": r'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+(?:"|\\)?',
    "SINGLE": r"'[^'\n]*+'?",
    "EQUALS": "=",
    "COMMA": ",",
    "LPAREN": r"\(",
    "RPAREN": r"\)",
    "LBRACE": r"\{",
    "RBRACE": r"\}",
    "SEMICOLON": ";",
    "BAD": rf"(?:[^\S\ \t\r\n\f\v]|[{_ODD}])++",
}


@cache
def _lexer() -> Any:
    from ply import lex  # here, for start-up matters

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


_ESCAPE = re.compile(r"\\(.?)")

# Where the parser takes up again after an error.
_RESUMING = {"NAME", "KIND", "INSTANCE", "LBRACE", "RBRACE", "END"}


class _Reading:
    """One reading of one text: hands its tokens to PLY's parser (as PLY's "lexer") and keeps the problems."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self.stray = -1
        """Index of the token that stood astray last."""
        self.assigned = -1
        """Place of the "{" that was told of because an "=" stands before it."""
        self.at = 0
        self.resumed = False
        # START and END are there so that the parser never errs with nothing before or after, where PLY gives up.
        self.tokens = [_Token("START", "", 0, 0), *self._balanced(self._words())]
        self.tokens.append(_Token("END", "", len(text), len(text)))
        self._tell_starts()

    def complain(self, message: str, span: Span, hint: str = "", rule: str = "syntax") -> None:
        if len(self.problems) < PROBLEMS:
            self.problems.append(Problem(rule, message, span, hint))

    # What PLY's parser asks for.

    def token(self) -> _Token | None:
        if self.resumed:
            self.resumed = False
            place = self.tokens[self.at].start
            return _Token("SYNC", "", place, place)
        if self.at == len(self.tokens):
            return None
        self.at += 1
        return self.tokens[self.at - 1]

    def skip(self) -> None:
        """From the token given last on to the next place where reading can resume, marked by a token SYNC."""
        self.at -= 1
        while self.tokens[self.at].type not in _RESUMING:
            self.at += 1
        self.resumed = True

    # The tokens, one step after the other.

    def _words(self) -> Iterator[_Token]:
        """PLY's tokens, with strings unquoted and without what is not of the language."""
        lexer = _lexer().clone()
        lexer.input(self.text.removeprefix("\ufeff"))
        shift = len(self.text) - len(lexer.lexdata)
        for found in lexer:
            start = found.lexpos + shift
            token = _Token(found.type, found.value, start, start + len(found.value))
            mend = _MENDING.get(token.type)
            if mend is None or mend(self, token):
                yield token
            if len(self.problems) == PROBLEMS:  # enough has been said: this is no configuration
                return

    def _unquote(self, token: _Token) -> bool:
        """Turn a string into its text; False never: a broken string is still one."""
        inner = token.text[1:]
        ended = re.fullmatch(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', inner, re.DOTALL) is not None
        if not ended:
            inner = inner.rstrip("\r")
            token.end = token.start + 1 + len(inner)
            self.complain("a string that does not end on its line", token.span, 'write " at its end')
        else:
            inner = inner[:-1]
        for wrong in re.finditer(rf"[{_ODD}\f\v\r]", inner):
            place = token.start + 1 + wrong.start()
            self.complain(f"{_named(wrong[0])} has no place in a string", Span(place, place + 1))
        if "\\" in inner:
            inner = _ESCAPE.sub(lambda escape: self._escape(escape, token.start + 1), inner)
        token.text = inner
        return True

    def _escape(self, escape: re.Match[str], start: int) -> str:
        if escape[1] in ('"', "\\"):
            return escape[1]
        if escape[1]:
            place = Span(start + escape.start(), start + escape.end())
            self.complain(f'{escape[0]} is no escape: there are \\" and \\\\', place, "write \\\\ for a backslash")
        return escape[0]

    def _single(self, token: _Token) -> bool:
        inner = token.text[1:].removesuffix("'").removesuffix("\r")
        self.complain("a string stands in double quotes", token.span, f'write "{inner}"')
        token.type, token.text = "STRING", inner
        return True

    def _semicolon(self, token: _Token) -> bool:
        self.complain('";" has no place here: a setting ends with its value', token.span, 'leave out the ";"')
        return False

    def _bad(self, token: _Token) -> bool:
        self.complain(f"{_named(token.text[0])} has no place here", token.span)
        return False

    def _balanced(self, tokens: Iterator[_Token]) -> Iterator[_Token]:
        """The tokens with a `}` for every `{` and none beyond; what is nested too deeply is left out."""
        opened: list[_Token] = []
        for token in tokens:
            if token.type == "RBRACE":
                if not opened:
                    self.complain('"}" closes nothing', token.span, "leave it out, or see where a { is missing")
                    continue
                opened.pop()
                if len(opened) > NESTING:
                    continue
            elif token.type == "LBRACE":
                opened.append(token)
                if len(opened) == NESTING + 1:
                    self.complain(f"stanzas nested more than {NESTING} deep", token.span)
                    yield token
                    continue
            if len(opened) <= NESTING:
                yield token
        for unclosed in opened[: NESTING + 1]:
            self.complain('"{" is never closed', unclosed.span, "write } where its stanza ends")
        for _ in opened[: NESTING + 1]:
            yield _Token("RBRACE", "}", len(self.text), len(self.text))

    def _tell_starts(self) -> None:
        """Tell by one look ahead the words that start a setting (NAME) or a stanza (KIND, INSTANCE)."""
        tokens = self.tokens
        closed = self._closed_lists()
        for i, token in enumerate(tokens):
            if token.type not in ("WORD", "STRING") or i in closed:
                continue
            after = tokens[i + 1].type
            before = tokens[i - 1].type
            if after == "EQUALS":
                token.type = "NAME"
            elif after == "LBRACE":
                token.type = "INSTANCE" if before == "KIND" or self.text[token.start] == '"' else "KIND"
            elif token.type == "WORD" and after in ("WORD", "STRING") and tokens[i + 2].type == "LBRACE":
                # `timeout = 20 clamav {`: a value, then a stanza; `clamav clamav1 {`: a stanza and its name.
                token.type = "WORD" if before in ("EQUALS", "COMMA") else "KIND"

    def _closed_lists(self) -> set[int]:
        """The indices of the tokens between a `(` and its `)`: whatever stands there starts nothing."""
        inside: set[int] = set()
        opened = -1
        for i, token in enumerate(self.tokens):
            if token.type == "LPAREN":
                opened = i
            elif token.type in ("LBRACE", "RBRACE"):
                opened = -1
            elif token.type == "RPAREN" and opened >= 0:
                inside.update(range(opened + 1, i))
                opened = -1
        return inside


_MENDING = {
    "STRING": _Reading._unquote,
    "SINGLE": _Reading._single,
    "SEMICOLON": _Reading._semicolon,
    "BAD": _Reading._bad,
}


def _named(character: str) -> str:
    """A character that does not show, in words."""
    return "a byte that is not UTF-8" if "\ud800" <= character <= "\udfff" else f"the character U+{ord(character):04X}"


class _Grammar:
    """PLY's grammar: each method's docstring is a rule, its body what the rule makes. `p.lexer` is the `_Reading`."""

    tokens = ("WORD", "STRING", "NAME", "KIND", "INSTANCE", "EQUALS", "COMMA", "LPAREN", "RPAREN", "LBRACE", "RBRACE",
              "START", "SYNC", "END")  # fmt: skip

    def p_file(self, p: Any) -> None:
        "file : START items END"
        p[0] = p[2]

    def p_no_items(self, p: Any) -> None:
        "items :"
        p[0] = []

    def p_items(self, p: Any) -> None:
        "items : items item"
        p[0] = p[1]
        if p[2] is not None:
            p[1].append(p[2])

    def p_setting(self, p: Any) -> None:
        "item : NAME EQUALS value"
        name, (value, span) = p[1], p[3]
        if p.lexer.text[name.start] in "\"'":
            p.lexer.complain("the name of a setting takes no quotes", name.span, f"write {name.text} = …")
        p[0] = Setting(name.text, value, Span(name.start, span.end), name.span, span)

    def p_stanza(self, p: Any) -> None:
        """item : KIND block
        | KIND INSTANCE block"""
        kind, instance, (items, span) = p[1], p[2] if len(p) == 4 else None, p[len(p) - 1]
        p[0] = Stanza(
            kind=kind.text,
            instance=instance and instance.text,
            settings=tuple(item for item in items if isinstance(item, Setting)),
            stanzas=tuple(item for item in items if isinstance(item, Stanza)),
            span=Span(kind.start, span.end),
            kind_span=kind.span,
            instance_span=instance and instance.span,
        )

    def p_nameless(self, p: Any) -> None:
        """item : block
        | INSTANCE block"""
        if len(p) == 3:
            p.lexer.complain("a stanza without a kind", p[1].span, 'write kind "name" { … }')
        elif p[1][1].start != p.lexer.assigned:
            start = p[1][1].start
            p.lexer.complain("a stanza without a kind", Span(start, start + 1), 'write kind "name" { … }')

    def p_block(self, p: Any) -> None:
        "block : LBRACE items RBRACE"
        p[0] = p[2], Span(p[1].start, p[3].end)

    def p_value_one(self, p: Any) -> None:
        "value : one"
        p[0] = p[1].text, p[1].span

    def p_value_list(self, p: Any) -> None:
        """value : LPAREN RPAREN
        | LPAREN listed RPAREN"""
        listed = p[2] if len(p) == 4 else []
        p[0] = tuple(token.text for token in listed), Span(p[1].start, p[len(p) - 1].end)

    def p_value_series(self, p: Any) -> None:
        "value : series"
        p[0] = tuple(token.text for token in p[1]), Span(p[1][0].start, p[1][-1].end)

    def p_first(self, p: Any) -> None:
        """listed : one
        series : one COMMA one"""
        p[0] = p[1::2]

    def p_next(self, p: Any) -> None:
        """listed : listed one
        | listed COMMA one
        series : series COMMA one"""
        p[0] = p[1]
        p[1].append(p[len(p) - 1])

    def p_one(self, p: Any) -> None:
        """one : WORD
        | STRING"""
        p[0] = p[1]

    def p_stray(self, p: Any) -> None:
        """item : WORD
        | STRING
        | EQUALS
        | LPAREN
        | RPAREN"""
        _tell_stray(p.lexer, p[1])

    def p_skipped(self, p: Any) -> None:
        "item : error SYNC"
        p.parser.errok()

    def p_error(self, token: Any) -> None:
        """Told by PLY of a token that fits nowhere; the parser drops what it has begun and takes up at SYNC."""
        _tell_error(token.lexer, token)
        token.lexer.skip()


def _tell_stray(reading: _Reading, token: _Token) -> None:
    """Complain of a token that belongs to no setting; once for several that follow each other."""
    index = reading.at - 1  # the parser may or may not have looked ahead
    while reading.tokens[index] is not token:
        index -= 1
    if reading.stray != index - 1:
        hint = f"write {token.text} = …, or {token.text} {{ … }}" if token.type == "WORD" else "leave it out"
        reading.complain(f"{_shown(reading, token)} stands alone: it belongs to no setting", token.span, hint)
    reading.stray = index


def _tell_error(reading: _Reading, token: _Token) -> None:
    """Complain of the place where a setting goes wrong: after `=`, after a comma or within a list."""
    tokens, at = reading.tokens, reading.at - 1
    before = tokens[at - 1]
    if before.type == "EQUALS" and tokens[at - 2].type == "NAME":
        name = tokens[at - 2]
        if token.type == "LBRACE":
            reading.complain('a stanza takes no "="', before.span, f"write {name.text} {{ … }}")
            reading.assigned = token.start
        else:
            reading.complain(f'"{name.text}" has no value', Span(name.start, before.end), f"write {name.text} = …")
        return
    if before.type == "COMMA":
        reading.complain("after this comma a value is missing", before.span)
        return
    opened = at - 1
    while opened >= 0 and tokens[opened].type in ("WORD", "STRING", "COMMA"):
        opened -= 1
    if opened >= 0 and tokens[opened].type == "LPAREN":
        if token.type in _RESUMING:
            reading.complain("a list that is never closed", tokens[opened].span, "write ) where it ends")
        else:
            reading.complain(f"{_shown(reading, token)} has no place in a list", token.span)
        return
    reading.complain(f"{_shown(reading, token)} has no place here", token.span, "leave it out")


def _shown(reading: _Reading, token: _Token) -> str:
    written = reading.text[token.start : token.end]
    return written if written.startswith('"') else f'"{written}"'


_PARSING = Lock()


@cache
def _parser() -> Any:
    from ply import yacc  # here, for start-up matters

    return yacc.yacc(module=_Grammar(), write_tables=False, debug=False, errorlog=yacc.NullLogger())
