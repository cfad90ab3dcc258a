"""syntax: script text to phrases with places, and every problem of its grammar in one run.

The grammar is sievelib's; this is the only file that imports it. sievelib stops at the first error, keeps no positions
and mixes grammar with the meaning of the words it knows, so it is shown a script in which every word but the six that
shape the grammar (`if elsif else not anyof allof`) is one of three words of ours, for a command, for a test and for a
command that takes a test and a block; they take whatever follows. What it gives back has the words in the order of the
text, so each finds its token again.

After an error the token list is mended, the statement at fault left out or its head replaced, and read again from the
outermost statement it stands in. Faults that sievelib would accept, or trip over, are marked on their token beforehand.

Over 400 lines, for mending and saying what is wrong take more than reading does, and look at the same tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sievelib import commands as _commands
from sievelib.parser import Lexer, ParseError, Parser

from sieveav import limits
from sieveav.language.phrases import Argument, Number, Phrase, String, Strings, Tag
from sieveav.language.problems import Problem, Severity, Span
from sieveav.language.tokens import Token, nesting, number, tokenize, unquote

SHAPING = frozenset({"if", "elsif", "else", "not", "anyof", "allof"})
"""The words that sievelib reads as itself."""

_COMMAND, _TEST, _BLOCK = "sieveavcommand", "sieveavtest", "sieveavblock"

_AFTER_TESTS = frozenset({"comma", "right_parenthesis", "left_cbracket", "semicolon"})

_COMMAND_POSITION = frozenset({"semicolon", "left_cbracket", "right_cbracket"})

_OPENING, _CLOSING = ("left_bracket", "left_parenthesis"), ("right_bracket", "right_parenthesis")

_ELSE_IF = "else if is one word here"


class _Word(_commands.Command):  # type: ignore[misc]  # sievelib has no types
    """Any word at all: takes every argument, test and block, and is complete when the parser says so."""

    args_definition: list[Any] = []  # noqa: RUF012
    non_deterministic_args = True
    accept_children = True

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.given: list[Any] = []
        self.done = False

    def has_arguments(self) -> bool:
        return False

    def check_next_arg(self, atype: str, avalue: Any, add: bool = True, check_extension: bool = True) -> bool:  # noqa: ARG002
        if add:
            self.given.append(avalue)
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
            if token.fault is not None:
                raise ParseError("fault")
            self.pos = 1
            yield token.kind, token
            if self.pos == 1:
                self.at += 1

    def curlineno(self) -> int:
        return 0

    def curcolno(self) -> int:
        return 0


def read(text: str) -> tuple[tuple[Phrase, ...], list[Problem]]:
    """The phrases of the script `text`, and every problem found; where there are problems, the phrases are those that
    could be read, good enough to look for more. Never raises."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
    if size > limits.SCRIPT_SIZE:
        message = f"the script has {size} octets, more than {limits.SCRIPT_SIZE}"
        return (), [Problem("too-large", message, Span(0, 1))]
    tokens = tokenize(text)
    too_deep = nesting(tokens)
    if too_deep is not None:
        return (), [too_deep]
    reading = _Reading(tokens, len(text))
    reading.all()
    return reading.phrases(), sorted(reading.problems + _advice(text, tokens), key=lambda problem: problem.span)


class _Reading:
    """One script being read: the token list, mended as faults are met, and the commands that sievelib made of it."""

    def __init__(self, tokens: list[Token], end: int) -> None:
        self.tokens = tokens
        self.end = end
        self.problems: list[Problem] = []
        self.commands: list[Any] = []

    def all(self) -> None:
        """Play the list to sievelib until it takes it. The work is bounded, so that a script of nothing but errors
        takes time linear in its size."""
        start = 0
        budget = 5 * len(self.tokens) + 200_000
        self._mark(0, len(self.tokens))
        while True:
            parser = Parser()
            lexer = parser.lexer = _Tokens(self.tokens, start)
            accepted = parser.parse(b"")
            if accepted:
                accepted = self._ended()
            if accepted:
                self.commands += parser.result
                return
            budget -= 2 * (lexer.at - start) + 50
            begun, whole = self._outermost(start, lexer.at)
            self.commands += parser.result[:whole]
            if len(self.problems) >= limits.PROBLEMS or budget < 0:
                self.problems.append(Problem("too-many-problems", "no more problems are listed", self._place(lexer.at)))
                del self.tokens[begun:]
                return
            restart = self._mend(lexer.at)
            budget -= self._mark(begun, restart)
            start = begun

    def _place(self, at: int) -> Span:
        if at < len(self.tokens):
            return self.tokens[at].span
        last = self.tokens[-1].span.end if self.tokens else 0
        return Span(max(0, last - 1), last)

    def _ended(self) -> bool:
        """Whether the list ends where a script may; sievelib takes one that ends too early."""
        return not self.tokens or self.tokens[-1].kind in ("semicolon", "right_cbracket")

    def _outermost(self, start: int, at: int) -> tuple[int, int]:
        """Where the outermost statement that holds token `at` begins (with its `if`, for an `elsif`), and how many
        outermost statements end between `start` and there."""
        begun, depth, ended, whole = start, 0, 0, 0
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
                    begun, whole = i + 1, ended
        return begun, whole

    # what sievelib would not say, or not at the right place

    def _mark(self, start: int, until: int) -> int:
        """Give words their names and faults their marks, from token `start`, where an outermost statement begins, to
        the end of the one that holds token `until`: what stands after it is as it was, for mending changes no block.
        Returns how many tokens it looked at."""
        tokens = self.tokens
        i = start - 1
        previous: Token | None = tokens[start - 1] if start else None
        heads: list[Token | None] = []  # the words that opened the blocks we are in
        lists = 0  # lists of tests and of strings that are open
        before: Token | None = None  # the word of the statement before, if it ended with a block
        head: Token | None = None
        for i in range(start, len(tokens)):
            token = tokens[i]
            token.fault = token.wrong
            kind = token.kind
            if kind in _COMMAND_POSITION:
                if i > until and not heads and before is None:
                    break
                if kind != "left_cbracket" and head is not None and head.name in ("if", "elsif", "else", _BLOCK):
                    token.fault = (f"{{ is missing before {token.text or ';'}", f"write {head.text} ... {{ ... }}")
                if kind == "left_cbracket":
                    heads.append(head)
                if kind != "right_cbracket":
                    before = None
                elif heads:
                    before = heads.pop()
                else:
                    token.fault = ("this } closes nothing", "")
                head, lists = None, 0
            elif kind == "identifier":
                if previous is None or previous.kind in _COMMAND_POSITION:
                    head = token
                    self._mark_command(token, before)
                else:
                    self._mark_test(token, head, i)
                    head = head if token.fault is None else None  # one fault of a statement is enough
            elif kind == "left_parenthesis" and (previous is None or previous.text.lower() not in ("anyof", "allof")):
                token.fault = ("only anyof and allof take a list of tests", "")
            elif kind == "comma" and not lists:
                token.fault = ("this comma stands in no list", "tests are listed in ( ), strings in [ ]")
            lists += (kind in _OPENING) - (kind in _CLOSING)
            if previous is not None and token.fault is None:
                # sievelib takes more of a command after the end of its tests, and arguments of an else
                if previous.kind == "right_parenthesis" and kind not in _AFTER_TESTS:
                    token.fault = (f"{_shown(token)} follows a list of tests", "a , a ) or a { may follow it")
                elif previous.name == "else" and kind != "left_cbracket":
                    token.fault = (f"else is followed by a block, not {_shown(token)}", "")
            previous = token
        return i - start

    @staticmethod
    def _mark_command(token: Token, before: Token | None) -> None:
        word = token.text.lower()
        token.name = word if word in SHAPING else _COMMAND
        if word in ("elsif", "else") and (before is None or before.text.lower() not in ("if", "elsif")):
            token.fault = (f"{word} must follow the block of an if or elsif", "")  # RFC 5228, 3.1
        elif word in ("not", "anyof", "allof"):
            token.fault = (f"{word} is a test, not a command", f"write: if {word} ... {{ ... }}")

    def _mark_test(self, token: Token, head: Token | None, index: int) -> None:
        word = token.text.lower()
        token.name = word if word in SHAPING else _TEST
        if head is None or head.fault is not None:
            return
        opener = head.text.lower()
        if opener == "else" and word == "if":
            token.fault = (_ELSE_IF, "write elsif")
        elif opener in SHAPING and word in ("if", "elsif", "else"):
            token.fault = (f"{{ is missing before {word}", f"write {opener} ... {{ ... }}")
        elif opener == "else":
            token.fault = ("else takes no test", "write elsif with a test, or else without one")
        elif head.name == _COMMAND:
            if word not in ("if", "elsif", "else") and self._opens_block(index):
                head.name = _BLOCK
            elif word in ("not", "anyof", "allof"):
                token.fault = (f"{word} is a test: it stands before a block in {{ and }}", "")
            else:
                token.fault = (f"; is missing before {word}", "write ; at the end of the command before")

    def _opens_block(self, index: int) -> bool:
        """Whether the statement that holds token `index` goes on to a block before it, or another command, ends."""
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
        after the mended place. No mending opens or closes a block, save at the end of the script."""
        tokens = self.tokens
        if at >= len(tokens):
            self._mend_end()
            return len(tokens)
        token = tokens[at]
        begin = at
        while begin and tokens[begin - 1].kind not in _COMMAND_POSITION:
            begin -= 1
        message, hint = token.fault or self._expected(begin, at)
        rule = "semicolon-missing" if message.startswith("; is missing") else "syntax"
        self.problems.append(Problem(rule, message, token.span, hint))
        if rule == "semicolon-missing":
            token.fault = None
            tokens.insert(at, Token("semicolon", "", token.start))
            return at + 1
        if message == _ELSE_IF:
            tokens[at - 1 : at + 1] = [Token("identifier", "elsif", tokens[at - 1].start)]
            return at
        if token.fault is not None and message.endswith("closes nothing"):
            del tokens[at]
            return at
        return self._drop(begin, at)

    def _drop(self, begin: int, at: int) -> int:
        """Leave out the statement from `begin` that fails at `at`, to its `;`, or to the `{` of its block, which stays
        under a head that says nothing; the token after is where reading goes on."""
        tokens = self.tokens
        end = max(at, begin)
        while end < len(tokens) and tokens[end].kind not in _COMMAND_POSITION:
            end += 1
        if end < len(tokens) and tokens[end].kind == "left_cbracket":
            word = tokens[begin].text.lower()
            start = tokens[begin].start
            head = [Token("identifier", word if word in ("elsif", "else") else "if", start)]
            if word == "elsif" and tokens[begin].fault is not None:
                head = [Token("identifier", "if", start)]
            if word == "else":
                head = [Token("identifier", "if", start)] if tokens[begin].fault is not None else head
            if head[0].text != "else":
                head.append(Token("identifier", "", start))
            tokens[begin:end] = head
            return begin + len(head)
        if end < len(tokens) and tokens[end].kind == "semicolon":
            end += 1
        del tokens[begin:end]
        return begin

    def _mend_end(self) -> None:
        """The script ends too early: say what is missing, and close what is open."""
        tokens = self.tokens
        place = self._place(len(tokens))
        opened = _open(tokens)
        if tokens and tokens[-1].kind not in _COMMAND_POSITION:
            begin = len(tokens)
            while begin and tokens[begin - 1].kind not in _COMMAND_POSITION:
                begin -= 1
            word = tokens[begin].text.lower()
            if word in SHAPING or any(t.kind in ("left_bracket", "left_parenthesis") for t in _open(tokens[begin:])):
                message = f"the script ends in the middle of {word or 'a command'}"
                self.problems.append(Problem("syntax", message, place))
                del tokens[begin:]
            else:
                self.problems.append(Problem("semicolon-missing", "; is missing at the end of the script", place))
                tokens.append(Token("semicolon", "", place.end))
        for token in reversed(opened):
            if token.kind == "left_cbracket":
                self.problems.append(Problem("syntax", "this block is never closed", token.span, "write } at its end"))
                tokens.append(Token("right_cbracket", "", self.end))

    def _expected(self, begin: int, at: int) -> tuple[str, str]:
        """What to say of token `at`, refused by sievelib, in the statement from `begin`."""
        tokens = self.tokens
        token = tokens[at]
        shown = _shown(token)
        if at == begin:
            return f"a command must begin here, not {shown}", ""
        word = tokens[begin].text.lower()
        if any(t.kind == "left_bracket" for t in _open(tokens[begin:at])):
            return f"{shown} stands in a string list", "a list is [ then strings with commas between, then ]"
        before = tokens[at - 1]
        shaping = before.text.lower()
        if shaping in ("if", "elsif"):
            return f"{shaping} takes a test, not {shown}", f"write: {shaping} TEST {{ ... }}"
        if shaping in ("anyof", "allof"):
            return f"{shaping} takes a list of tests, not {shown}", f"write: {shaping} (TEST, TEST)"
        if shaping == "not" or before.kind in ("left_parenthesis", "comma"):
            return f"a test must stand here, not {shown}", ""
        if word in ("if", "elsif", "else"):
            pass
        elif token.kind == "right_cbracket":
            return "; is missing before }", "write ; at the end of the command before"
        return f"{shown} is not expected here", ""

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
            given = command.given
        else:
            given = [v for value in command.arguments.values() for v in (value if isinstance(value, list) else [value])]
        arguments = tuple(self._argument(value) for value in given if not isinstance(value, _commands.Command))
        tests = tuple(self._phrase(value, words) for value in given if isinstance(value, _commands.Command))
        block = None
        if self._has_block(token, command):
            block = tuple(self._phrase(child, words) for child in command.children)
        return Phrase(token.text.lower(), token.span, arguments, tests, block)

    def _has_block(self, token: Token, command: Any) -> bool:
        """Whether a `{` follows the head of the command; sievelib does not tell an empty block from none."""
        if command.children:
            return True
        if command.get_type() == "test":
            return False
        for i in range(token.index + 1, len(self.tokens)):
            if self.tokens[i].kind in _COMMAND_POSITION:
                return self.tokens[i].kind == "left_cbracket"
        return False

    def _argument(self, value: Any) -> Argument:
        if isinstance(value, list):
            first, last = self.tokens[value[0].index - 1], self.tokens[value[-1].index + 1]
            items = tuple(String(unquote(token), token.span) for token in value)
            return Strings(items, Span(first.start, last.span.end))
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


_NOT_UTF_8 = re.compile("[\udc80-\udcff]")
"""What the decoding of a script puts in the place of octets that are not UTF-8."""


def _advice(text: str, tokens: list[Token]) -> list[Problem]:
    """What is allowed and better left, undefined escapes and octets that are not UTF-8; and NUL, which is not allowed."""
    found: list[Problem] = []
    nul = text.find("\0")
    if nul >= 0:
        found.append(Problem("syntax", "a NUL stands here", Span(nul, nul + 1)))  # RFC 5228, 2.1
    for token in tokens if "\\" in text else ():
        if token.kind != "string" or token.wrong is not None or token.text[0] != '"' or "\\" not in token.text:
            continue
        at = token.text.find("\\")
        while at >= 0 and len(found) < limits.PROBLEMS:
            if token.text[at + 1] not in '"\\':
                span = Span(token.start + at, token.start + at + 2)
                message = "this backslash stands for nothing"  # RFC 5228, 2.4.2
                found.append(Problem("escape-undefined", message, span, "leave it out", Severity.ADVICE))
            at = token.text.find("\\", at + 2)
    if not text.isascii():
        bad = _NOT_UTF_8.search(text)  # RFC 5228, 2.1: scripts are UTF-8; 2.4.2: strings may be otherwise
        if bad is not None:
            found.append(Problem("not-utf-8", "not UTF-8 from here", Span(*bad.span()), "", Severity.WARNING))
    return found
