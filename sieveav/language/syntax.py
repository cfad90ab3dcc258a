"""syntax: script text to phrases with places, its comments, and every problem of its grammar in one run.

The grammar is sievelib's; this is the only file that imports it. sievelib stops at the first error, keeps no positions
and mixes grammar with the meaning of the words it knows. So it is given a script in which every word, except the six that
shape the grammar (`if elsif else not anyof allof`), is one of three words of ours: one for a command, one for a test and
one for a command that takes a test and a block. They take whatever follows. sievelib returns the words in the order of
the text, so each finds its token again.

After an error the token list is mended (see `Mend`) and read again from the outermost statement that contains it.
Mistakes that sievelib would accept, or would report at another place, are marked on their tokens before it sees them.

Over 400 lines, because mending and reporting take more than reading does, and look at the same tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from sievelib import commands as _commands
from sievelib.parser import Lexer, ParseError, Parser

from sieveav import limits
from sieveav.language.phrases import Argument, Number, Phrase, String, StringList, Tag
from sieveav.language.problems import Edit, Problem, Severity, Span
from sieveav.language.tokens import COMMAND_POSITION, Comment, Mend, Mistake, Token, nesting, number, tokenize, unquote

SHAPING = frozenset({"if", "elsif", "else", "not", "anyof", "allof"})
"""The words that sievelib reads as itself."""

_COMMAND, _TEST, _BLOCK = "sieveavcommand", "sieveavtest", "sieveavblock"

_AFTER_TESTS = frozenset({"comma", "right_parenthesis", "left_cbracket", "semicolon"})

_OPENING, _CLOSING = ("left_bracket", "left_parenthesis"), ("right_bracket", "right_parenthesis")

_NOT_IN_TEXT = frozenset({*COMMAND_POSITION, "left_bracket", "right_bracket"})
"""The kinds of token that end text without quotes."""


class _Word(_commands.Command):  # type: ignore[misc]  # sievelib has no types
    """Any word: takes every argument, test and block, and is complete when the parser says so."""

    args_definition: list[Any] = []  # noqa: RUF012
    non_deterministic_args = True
    accept_children = True

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.taken: list[Any] = []
        self.done = False

    def has_arguments(self) -> bool:
        return False

    def check_next_arg(self, atype: str, avalue: Any, add: bool = True, check_extension: bool = True) -> bool:  # noqa: ARG002
        if add:
            self.taken.append(avalue)
        return True

    def reassign_arguments(self) -> None:
        self.done = True

    def iscomplete(self, atype: str | None = None, avalue: Any = None) -> bool:  # noqa: ARG002
        return self.done


class SieveavcommandCommand(_Word):
    _type = "action"


class SieveavtestCommand(_Word):
    _type = "test"


class SieveavblockCommand(_Word):
    _type = "control"

    def check_next_arg(self, atype: str, avalue: Any, add: bool = True, check_extension: bool = True) -> bool:
        self.done = self.done or atype == "test"  # nothing but a block follows a test
        return super().check_next_arg(atype, avalue, add, check_extension)

    def reassign_arguments(self) -> None:
        raise ParseError("no test yet")


_commands.add_commands([SieveavcommandCommand, SieveavtestCommand, SieveavblockCommand])


class _Tokens(Lexer):  # type: ignore[misc]  # sievelib has no types
    """Plays a list of tokens to the parser, and again the one from which the parser stepped back."""

    def __init__(self, tokens: list[Token], start: int) -> None:
        super().__init__([(b"any", b".")])
        self.tokens = tokens
        self.at = start
        self.pos = 0
        self.text = b""

    def scan(self, text: bytes) -> Iterator[tuple[str, Any]]:  # noqa: ARG002
        tokens = self.tokens
        while self.at < len(tokens):
            token = tokens[self.at]
            if token.mistake is not None:
                raise ParseError("mistake")
            self.pos = 1
            yield token.kind, token
            if self.pos == 1:
                self.at += 1

    def curlineno(self) -> int:
        return 0

    def curcolno(self) -> int:
        return 0


class Reading(NamedTuple):
    """What was read. Where there are problems, the phrases are those that could be read, good enough to find more."""

    phrases: tuple[Phrase, ...]
    problems: list[Problem]
    comments: tuple[Comment, ...]


def read(text: str, bounds: limits.ScriptBounds = limits.TO_RUN) -> Reading:
    """Read the script `text`, no more of it than `bounds`. Never raises."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
    if size > bounds.octets:
        message = f"the script has {size} octets; the limit is {bounds.octets}"
        return Reading((), [Problem("script-too-large", message, Span(0, 1))], ())
    tokens, comments = tokenize(text, bounds)
    refusal = nesting(tokens) or _too_long(tokens, bounds)
    if refusal is not None:
        return Reading((), [refusal], tuple(comments))
    reader = _Reader(text, tokens)
    reader.read()
    problems = sorted(reader.problems + _advice(text, tokens), key=lambda problem: problem.span)
    return Reading(reader.phrases(), problems, tuple(comments))


def _too_long(tokens: list[Token], bounds: limits.ScriptBounds) -> Problem | None:
    """The problem of a script that was read up to its bounds only."""
    if len(tokens) <= min(bounds.words, bounds.tokens):
        return None
    if len(tokens) > bounds.tokens:
        message = f"the script has more than {bounds.tokens} words, strings and other tokens"
    elif sum(token.kind == "identifier" for token in tokens) > bounds.words:
        message = f"the script has more than {bounds.words} commands and tests"
    else:
        return None
    return Problem("script-too-long", message, tokens[-1].span)


class _Reader:
    """One script being read: the token list, mended as mistakes are met, and the commands that sievelib made of it."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.problems: list[Problem] = []
        self.commands: list[Any] = []

    def read(self) -> None:
        """Play the list to sievelib until it accepts it. The work is bounded, so that a script of nothing but errors takes
        time linear in its size."""
        start = 0
        budget = 5 * len(self.tokens) + 200_000
        self._mark(0, len(self.tokens))
        while True:
            parser = Parser()
            lexer = parser.lexer = _Tokens(self.tokens, start)
            if parser.parse(b"") and self._is_complete():
                self.commands += parser.result
                return
            budget -= 2 * (lexer.at - start) + 50
            begin, complete = self._outermost(start, lexer.at)
            self.commands += parser.result[:complete]
            if len(self.problems) >= limits.PROBLEMS or budget < 0:
                message = "too many problems: the rest are not listed"
                self.problems.append(Problem("problems-too-many", message, self._place(lexer.at)))
                del self.tokens[begin:]
                return
            restart = self._mend(lexer.at)
            budget -= self._mark(begin, restart)
            start = begin

    def _place(self, at: int) -> Span:
        if at < len(self.tokens):
            return self.tokens[at].span
        last = self.tokens[-1].span.end if self.tokens else 0
        return Span(max(0, last - 1), last)

    def _is_complete(self) -> bool:
        """Whether the list ends where a script may; sievelib accepts one that ends too early."""
        return not self.tokens or self.tokens[-1].kind in ("semicolon", "right_cbracket")

    def _outermost(self, start: int, at: int) -> tuple[int, int]:
        """Where the outermost statement that contains token `at` begins (with its `if`, for an `elsif`), and how many
        outermost statements end between `start` and there."""
        begin, depth, ended, complete = start, 0, 0, 0
        for i in range(start, min(at, len(self.tokens))):
            token = self.tokens[i]
            if token.kind == "left_cbracket":
                depth += 1
            elif token.kind == "right_cbracket":
                depth -= 1
            if depth == 0 and token.kind in ("semicolon", "right_cbracket"):
                ended += 1
                following = self.tokens[i + 1] if i + 1 < len(self.tokens) else None
                if i + 1 <= at and (following is None or following.text.lower() not in ("elsif", "else")):
                    begin, complete = i + 1, ended
        return begin, complete

    # what sievelib would not report, or not at the right place

    def _mark(self, start: int, until: int) -> int:
        """Give words their names for sievelib, and tokens their mistakes. Begins at token `start`, where an outermost
        statement begins, and goes to the end of the one that contains token `until`: what follows is as it was, because
        mending changes no block. Returns how many tokens it looked at."""
        tokens = self.tokens
        i = start - 1
        previous: Token | None = tokens[start - 1] if start else None
        heads: list[Token | None] = []  # the words that opened the blocks we are in
        lists = 0  # lists of tests and of strings that are open
        before: Token | None = None  # the word of the statement before, if it ended with a block
        head: Token | None = None
        for i in range(start, len(tokens)):
            token = tokens[i]
            token.mistake = token.invalid
            kind = token.kind
            if kind in COMMAND_POSITION:
                if i > until and not heads and before is None:
                    break
                if kind != "left_cbracket" and head is not None and head.name in ("if", "elsif", "else", _BLOCK):
                    token.mistake = _block_missing(head, token.text or ";")
                if kind == "left_cbracket":
                    heads.append(head)
                if kind != "right_cbracket":
                    before = None
                elif heads:
                    before = heads.pop()
                else:
                    token.mistake = Mistake("unmatched }", mend=Mend.DROP_TOKEN)
                head, lists = None, 0
            elif kind == "identifier":
                if previous is None or previous.kind in COMMAND_POSITION:
                    head = token
                    self._mark_command(token, before)
                else:
                    self._mark_test(token, head, i)
                    head = head if token.mistake is None else None  # one mistake of a statement is enough
            elif kind == "left_parenthesis" and (previous is None or previous.text.lower() not in ("anyof", "allof")):
                token.mistake = Mistake("only anyof and allof take a list of tests", "write: anyof (TEST, TEST)")
            elif kind == "comma" and not lists:
                token.mistake = Mistake("comma outside a list", "write tests in ( ), strings in [ ]")
            lists += (kind in _OPENING) - (kind in _CLOSING)
            if previous is not None and token.mistake is None:
                token.mistake = _not_allowed_after(previous, token)
            previous = token
        return i - start

    @staticmethod
    def _mark_command(token: Token, before: Token | None) -> None:
        word = token.text.lower()
        token.name = word if word in SHAPING else _COMMAND
        if word in ("elsif", "else") and (before is None or before.text.lower() not in ("if", "elsif")):
            token.mistake = Mistake(f"{word} must follow the block of an if or elsif")  # RFC 5228, 3.1
        elif word in ("not", "anyof", "allof"):
            token.mistake = Mistake(f"{word} is a test, not a command", f"write: if {word} ... {{ ... }}")

    def _mark_test(self, token: Token, head: Token | None, index: int) -> None:
        word = token.text.lower()
        token.name = word if word in SHAPING else _TEST
        if head is None or head.mistake is not None:
            return
        opener = head.text.lower()
        if opener == "else" and word == "if":
            token.mistake = Mistake("else if is one word: elsif", "write elsif", mend=Mend.JOIN_ELSE_IF)
        elif opener in SHAPING and word in ("if", "elsif", "else"):
            token.mistake = _block_missing(head, word)
        elif opener == "else":
            token.mistake = Mistake("else takes no test", "write elsif with a test, or else without one")
        elif head.name == _COMMAND:
            if word not in ("if", "elsif", "else") and self._opens_block(index):
                head.name = _BLOCK
            elif word in ("not", "anyof", "allof"):
                token.mistake = Mistake(f"{word} is a test; {opener} takes no test", f"write: if {word} ... {{ ... }}")
            elif self._text_end(index) is not None:
                token.mistake = Mistake("text without quotes", mend=Mend.QUOTE)  # see `unquoted`
            else:
                token.mistake = _SEMICOLON_MISSING

    def _text_end(self, index: int) -> int | None:
        """If text without quotes begins at token `index`, the token after it: at least two words on one line, up to the
        end of the line or of the command. None for anything else: one word may be the next command."""
        tokens = self.tokens
        words = 0
        end = index
        while end < len(tokens) and tokens[end].kind not in _NOT_IN_TEXT:
            token = tokens[end]
            if token.text.startswith('"') or "\n" in token.text:
                break
            if end > index and "\n" in self.text[tokens[end - 1].end : token.start]:
                break
            words += token.kind == "identifier"
            end += 1
        is_text = words > 1 and (end == len(tokens) or tokens[end].kind != "left_cbracket")
        return end if is_text else None

    def _opens_block(self, index: int) -> bool:
        """Whether the statement that contains token `index` has a block."""
        for i in range(index + 1, len(self.tokens)):
            token = self.tokens[i]
            if token.kind == "left_cbracket":
                return True
            if token.kind in ("semicolon", "right_cbracket") or token.text.lower() in ("if", "elsif", "else"):
                return False
        return False

    # mending

    def _mend(self, at: int) -> int:
        """Report what is wrong at token `at`, and change the list so that it is not met again; returns the first token
        after the change. No mending opens or closes a block, except at the end of the script."""
        tokens = self.tokens
        if at >= len(tokens):
            self._mend_end()
            return len(tokens)
        token = tokens[at]
        begin = at
        while begin and tokens[begin - 1].kind not in COMMAND_POSITION:
            begin -= 1
        mistake = token.mistake or self._expected(begin, at)
        if mistake.mend is Mend.END_COMMAND:
            self._end_command(at)
            return at + 1
        if mistake.mend is Mend.QUOTE:
            self._make_string(at)
            return at + 1
        edits: tuple[Edit, ...] = ()
        if mistake.mend is Mend.JOIN_ELSE_IF:
            edits = (Edit(Span(tokens[at - 1].start, token.end), "elsif"),)
        self.problems.append(Problem(mistake.rule, mistake.message, token.span, mistake.hint, edits=edits))
        if mistake.mend is Mend.JOIN_ELSE_IF:
            tokens[at - 1 : at + 1] = [Token("identifier", "elsif", tokens[at - 1].start, token.end)]
            return at
        if mistake.mend is Mend.DROP_TOKEN:
            del tokens[at]
            return at
        return self._drop(begin, at)

    def _end_command(self, at: int) -> None:
        """Report that the command before token `at` does not end, at its own end, and end it."""
        end = self.tokens[at - 1].end
        edit = Edit(Span(end, end), ";")
        mistake = _SEMICOLON_MISSING
        self.problems.append(Problem(mistake.rule, mistake.message, Span(end - 1, end), mistake.hint, edits=(edit,)))
        if at < len(self.tokens):
            self.tokens[at].mistake = None
        self.tokens.insert(at, Token("semicolon", "", end))

    def _make_string(self, at: int) -> None:
        """Report the text without quotes that begins at token `at`, and make it a string."""
        end = self._text_end(at)
        assert end is not None  # the token's mistake says so  # noqa: S101
        span = Span(self.tokens[at].start, self.tokens[end - 1].end)
        self.problems.append(unquoted(self.text, span))
        self.tokens[at:end] = [Token("string", _quote(self.text[slice(*span)]), *span)]

    def _drop(self, begin: int, at: int) -> int:
        """Leave out the statement from `begin` that is wrong at `at`, up to its `;`, or up to the `{` of its block, which
        stays with another head. Returns the token at which reading goes on."""
        tokens = self.tokens
        end = max(at, begin)
        while end < len(tokens) and tokens[end].kind not in COMMAND_POSITION:
            end += 1
        if end < len(tokens) and tokens[end].kind == "left_cbracket":
            head = self._head_in_place_of(tokens[begin])
            tokens[begin:end] = head
            return begin + len(head)
        if end < len(tokens) and tokens[end].kind == "semicolon":
            end += 1
        del tokens[begin:end]
        return begin

    @staticmethod
    def _head_in_place_of(head: Token) -> list[Token]:
        """The head of a block whose own head was left out: an `elsif` or `else` where one is allowed, else an `if`. The
        empty word is a test that nobody checks."""
        word = head.text.lower()
        if word not in ("elsif", "else") or head.mistake is not None:
            word = "if"
        test = [] if word == "else" else [Token("identifier", "", head.start)]
        return [Token("identifier", word, head.start), *test]

    def _mend_end(self) -> None:
        """The script ends too early: report what is missing, and close what is open."""
        tokens = self.tokens
        place = self._place(len(tokens))
        opened = _open(tokens)
        if tokens and tokens[-1].kind not in COMMAND_POSITION:
            begin = len(tokens)
            while begin and tokens[begin - 1].kind not in COMMAND_POSITION:
                begin -= 1
            word = tokens[begin].text.lower()
            if word in SHAPING or any(t.kind in ("left_bracket", "left_parenthesis") for t in _open(tokens[begin:])):
                message = f"the script ends in the middle of {word or 'a command'}"
                self.problems.append(Problem("syntax", message, place))
                del tokens[begin:]
            else:
                self._end_command(len(tokens))
        for token in reversed(opened):
            if token.kind == "left_cbracket":
                self.problems.append(Problem("syntax", "unclosed block", token.span, "write } at its end"))
                tokens.append(Token("right_cbracket", "", len(self.text)))

    def _expected(self, begin: int, at: int) -> Mistake:
        """The mistake of token `at`, refused by sievelib, in the statement from `begin`."""
        tokens = self.tokens
        token = tokens[at]
        shown = _shown(token)
        if at == begin:
            return Mistake(f"expected a command, found {shown}")
        word = tokens[begin].text.lower()
        if any(t.kind == "left_bracket" for t in _open(tokens[begin:at])):
            return Mistake(f"unexpected {shown} in a string list", 'write strings with commas between them: ["a", "b"]')
        before = tokens[at - 1]
        shaping = before.text.lower()
        if shaping in ("if", "elsif"):
            return Mistake(f"expected a test after {shaping}, found {shown}", f"write: {shaping} TEST {{ ... }}")
        if shaping in ("anyof", "allof"):
            return Mistake(f"expected ( after {shaping}, found {shown}", f"write: {shaping} (TEST, TEST)")
        if shaping == "not" or before.kind in ("left_parenthesis", "comma"):
            return Mistake(f"expected a test, found {shown}")
        if token.kind == "right_cbracket" and word not in ("if", "elsif", "else"):
            return _SEMICOLON_MISSING
        return Mistake(f"unexpected {shown}")

    # phrases

    def phrases(self) -> tuple[Phrase, ...]:
        """The commands that sievelib made, as phrases: words and commands have the same order."""
        for index, token in enumerate(self.tokens):
            token.index = index
        words = (token for token in self.tokens if token.kind == "identifier")
        return tuple(self._phrase(command, words) for command in self.commands)

    def _phrase(self, command: Any, words: Iterator[Token]) -> Phrase:
        token = next(words)
        if isinstance(command, _Word):
            values = command.taken
        else:
            values = [
                v for value in command.arguments.values() for v in (value if isinstance(value, list) else [value])
            ]
        arguments = tuple(self._argument(value) for value in values if not isinstance(value, _commands.Command))
        tests = tuple(self._phrase(value, words) for value in values if isinstance(value, _commands.Command))
        block = None
        if self._has_block(token, command):
            block = tuple(self._phrase(child, words) for child in command.children)
        return Phrase(token.text.lower(), token.span, arguments, tests, block)

    def _has_block(self, token: Token, command: Any) -> bool:
        """Whether a `{` follows the head of the command; for sievelib an empty block and no block are the same."""
        if command.children:
            return True
        if command.get_type() == "test":
            return False
        for i in range(token.index + 1, len(self.tokens)):
            if self.tokens[i].kind in COMMAND_POSITION:
                return self.tokens[i].kind == "left_cbracket"
        return False

    def _argument(self, value: Any) -> Argument:
        if isinstance(value, list):
            first, last = self.tokens[value[0].index - 1], self.tokens[value[-1].index + 1]
            items = tuple(String(unquote(token), token.span) for token in value)
            return StringList(items, Span(first.start, last.span.end))
        if value.kind == "string":
            return String(unquote(value), value.span)
        if value.kind == "number":
            return Number(number(value), value.span)
        return Tag(value.text.lower(), value.span)


def _open(tokens: list[Token]) -> list[Token]:
    """The brackets of every kind that are still open at the end of `tokens`, outermost first."""
    opened: list[Token] = []
    for token in tokens:
        if token.kind.startswith("left_"):
            opened.append(token)
        elif token.kind.startswith("right_") and opened:
            opened.pop()
    return opened


def _shown(token: Token) -> str:
    if token.kind == "string":
        return "a string"
    return f'"{token.text[:40]}"'


_SEMICOLON_MISSING = Mistake("missing ; at the end of this command", rule="semicolon-missing", mend=Mend.END_COMMAND)


def _not_allowed_after(previous: Token, token: Token) -> Mistake | None:
    """The mistake of a token after the end of a command's tests or after `else`, which sievelib would accept."""
    if previous.kind == "right_parenthesis" and token.kind not in _AFTER_TESTS:
        return Mistake(f"unexpected {_shown(token)} after a list of tests", "write , or ) or { after it")
    if previous.name == "else" and token.kind != "left_cbracket":
        return Mistake(f"expected {{ after else, found {_shown(token)}")
    return None


def _block_missing(head: Token, before: str) -> Mistake:
    return Mistake(f"missing {{ before {before}", f"write: {head.text} ... {{ ... }}")


def unquoted(text: str, *strings: Span) -> Problem:
    """The problem that what is at these places in `text` is not in quotes; each is one string."""
    edits = tuple(Edit(span, _quote(text[slice(*span)])) for span in strings)
    written = " ".join(edit.text for edit in edits)
    hint = f"write: {written}" if len(written) <= _SHORT else 'write: "..."'
    return Problem(
        "string-unquoted", "text must be in quotes", Span(strings[0].start, strings[-1].end), hint, edits=edits
    )


def _quote(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_SHORT = 60
"""Characters of strings that a hint shows."""

_NOT_UTF_8 = re.compile("[\udc80-\udcff]")
"""What the decoding of a script puts in the place of octets that are not UTF-8."""


def _advice(text: str, tokens: list[Token]) -> list[Problem]:
    """Undefined escapes and octets that are not UTF-8, which are allowed, and NUL, which is not."""
    problems: list[Problem] = []
    nul = text.find("\0")
    if nul >= 0:
        problems.append(Problem("syntax", "NUL character in the script", Span(nul, nul + 1)))  # RFC 5228, 2.1
    for token in tokens if "\\" in text else ():
        if token.kind != "string" or token.invalid is not None or token.text[0] != '"' or "\\" not in token.text:
            continue
        at = token.text.find("\\")
        while at >= 0 and len(problems) < limits.PROBLEMS:
            if token.text[at + 1] not in '"\\':
                span = Span(token.start + at, token.start + at + 2)
                message = "undefined escape sequence; the backslash is ignored"  # RFC 5228, 2.4.2
                hint = "write \\\\ for a backslash, or leave it out"
                problems.append(Problem("escape-undefined", message, span, hint, Severity.ADVICE))
            at = token.text.find("\\", at + 2)
    if not text.isascii():
        bad = _NOT_UTF_8.search(text)  # RFC 5228, 2.1: scripts are UTF-8; 2.4.2: strings may be otherwise
        if bad is not None:
            problems.append(
                Problem("encoding-invalid", "not UTF-8 from here on", Span(*bad.span()), "", Severity.WARNING)
            )
    return problems
