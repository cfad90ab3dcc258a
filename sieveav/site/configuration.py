r"""configuration: the text of a configuration file to a tree of stanzas, and all its syntax problems.

The syntax is that of Momentum's ecelerity.conf. A line end is white space:

    kind { … }    kind "instance" { … }    name = value    # comment

A value is a bare word, a "quoted string" (on one line; its escapes are \" and \\), or several of them: ( "a" "b" ) or
"a", "b". What the names mean is not known here, but in `settings`.

`config_tokens` cuts the text into tokens, which always fit the grammar below, so that no problem hides another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

from sieveav.language.problems import Problem, Source, Span
from sieveav.limits import MIB
from sieveav.options import Written
from sieveav.site.config_tokens import NESTING as NESTING
from sieveav.site.config_tokens import QUOTED as QUOTED
from sieveav.site.config_tokens import Lexer, Token, cut

SIZE = 1 * MIB
"""Characters of a configuration file; nobody writes that many."""


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
    lexer = Lexer(source.text)
    with _PARSING:  # PLY's parser keeps its stacks in itself
        items: list[Setting | Stanza] = _parser().parse(lexer=lexer)
    for item in items:
        if isinstance(item, Setting) and item.span.start < lexer.first_section:
            message, hint = f'"{cut(item.name)}" is outside any stanza', "write it between the { and } of a stanza"
            lexer.report(message, item.name_span, hint, rule="setting-misplaced")
    stanzas = tuple(item for item in items if isinstance(item, Stanza))
    return stanzas, sorted(lexer.problems, key=lambda problem: problem.span)


class _Grammar:
    """PLY's grammar: the docstring of a method is its rules, its body computes their value. `p.lexer` is the `Lexer`.

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
        p[0] = Setting(name.text, value, Span(name.start, span.end), name.span, span)
        if len(p) == 4:
            _report_surplus(p.lexer, p[3][0], span)

    def p_no_value(self, p: Any) -> None:
        """item : NAME %prec ITEM
        | NAME RPAREN %prec ITEM
        | NAME COMMA %prec ITEM
        | NAME RPAREN surplus %prec ITEM
        | NAME COMMA surplus %prec ITEM"""
        name = cut(p[1].text)
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
            span=Span(kind.start, span.end),
            kind_span=kind.span,
            instance_span=instance and instance.span,
        )

    def p_no_kind(self, p: Any) -> None:
        """item : block
        | INSTANCE block"""
        if len(p) == 3:
            hint = f"write kind {p.lexer.written(p[1])} {{ … }}, or {cut(p[1].text)} {{ … }} without quotes"
            p.lexer.report("a stanza without a kind", p[1].span, hint)
        else:
            start = p[1][1].start
            p.lexer.report("a stanza without a kind", Span(start, start + 1), 'write kind { … } or kind "name" { … }')

    def p_block(self, p: Any) -> None:
        "block : LBRACE items RBRACE"
        p[0] = p[2], Span(p[1].start, p[3].end)

    def p_value(self, p: Any) -> None:
        "value : series %prec ITEM"
        texts = _values(p.lexer, p[1])
        p[0] = texts if len(texts) > 1 else texts[0], Span(p[1][0].start, p[1][-1].end)

    def p_value_in_parentheses(self, p: Any) -> None:
        """value : LPAREN listed RPAREN
        | LPAREN listed %prec ITEM"""
        if len(p) == 4:
            texts, end = _values(p.lexer, p[2]), p[3]
        else:
            p.lexer.report("unclosed list", p[1].span, "write ) at its end")
            texts, end = _texts(p[2]), [p[1], *p[2]][-1]
        p[0] = texts, Span(p[1].start, end.end)

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


def _report_surplus(lexer: Lexer, token: Token, value: Span | None = None) -> None:
    """Report the first of the tokens that belong to nothing, which may follow a value."""
    if value and token.type == "VALUE" and lexer.same_line(value, token):
        hint = "write quotes around a value of several words, or ( ) around a list"
    elif token.type == "VALUE" and not token.quoted:
        hint = f"write {lexer.written(token)} = …, or {lexer.written(token)} {{ … }}"
    else:
        hint = "leave it out"
    lexer.report(f"unexpected {lexer.shown(token)}; not part of a setting", token.span, hint)


def _values(lexer: Lexer, tokens: list[Token]) -> tuple[str, ...]:
    """The values of a list. Commas that are not between values, and the first other sign, are reported."""
    types = ["", *(token.type for token in tokens), ""]
    for before, token, after in zip(types, tokens, types[2:], strict=False):
        if token.type == "COMMA" and (after != "VALUE" or not before):
            side = "before" if after == "VALUE" else "after"
            lexer.report(f"missing value {side} comma", token.span, f"leave it out, or write a value {side} it")
    sign = next((token for token in tokens if token.type not in ("VALUE", "COMMA")), None)
    if sign:
        hint = "leave it out" if sign.type == "LPAREN" else "write quotes around a value that contains it"
        lexer.report(f"unexpected {lexer.shown(sign)} in a list", sign.span, hint)
    return _texts(tokens)


def _texts(tokens: list[Token]) -> tuple[str, ...]:
    return tuple(token.text for token in tokens if token.type == "VALUE")


_PARSING = Lock()


@cache
def _parser() -> Any:
    from ply import yacc  # imported late, to keep start-up fast

    return yacc.yacc(module=_Grammar(), write_tables=False, debug=False, errorlog=yacc.NullLogger())
