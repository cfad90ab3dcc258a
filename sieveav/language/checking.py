"""checking: a script and a vocabulary to a program, or to every problem that can be found before a message is seen.

Each phrase becomes one instance of the class that declares its word: its arguments are bound to the fields of the class,
strings are read, the tags of other extensions are attached. Then `check(use)` reports problems, and at the end `prepare()`
derives what follows from the fields alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sieveav import limits
from sieveav.language import syntax
from sieveav.language.binding import Binding
from sieveav.language.extension import Declared
from sieveav.language.grammar import Grammar, Shape, grammar_of
from sieveav.language.phrases import Phrase, String, StringList, cost
from sieveav.language.problems import Problem, Severity, Source, Span
from sieveav.language.program import Block, Program, Unmet
from sieveav.language.script import NO_SUGGESTION, Script, Suggestion, brief, similar
from sieveav.language.tokens import Comment
from sieveav.language.use import Use
from sieveav.language.vocabulary import Vocabulary


@dataclass(frozen=True)
class Checked:
    """The result of checking a script: its program, None if a problem is an error, and all problems in order of place. For
    tools there are also its phrases, its comments and the vocabulary at its end."""

    source: Source
    program: Program | None
    problems: tuple[Problem, ...]
    phrases: tuple[Phrase, ...] = ()
    comments: tuple[Comment, ...] = ()
    vocabulary: Vocabulary | None = None

    @property
    def first_error(self) -> Problem:
        """The first problem that is an error; only for a script without a program."""
        return next(problem for problem in self.problems if problem.severity is Severity.ERROR)

    def __str__(self) -> str:
        return self.source.path


def check(script: bytes, path: str, vocabulary: Vocabulary, bounds: limits.ScriptBounds = limits.TO_RUN) -> Checked:
    """Check the script `script` with a vocabulary made for it. `path` is its name for people, `bounds` say how much of it is
    read. Never raises for what a script contains."""
    source = Source(path, script.decode("utf-8", "surrogateescape"))
    reading = syntax.read(source.text, bounds)
    state = Script(source, vocabulary, reading.problems, _start(source.text, reading))
    block = _Checker(state).check_script(reading.phrases)
    errors_first = sorted(state.problems, key=lambda problem: problem.severity is not Severity.ERROR)
    problems = tuple(sorted(errors_first[: limits.PROBLEMS + 1], key=lambda problem: problem.span))
    program = None
    if not any(problem.severity is Severity.ERROR for problem in problems):
        state.prepare()
        capabilities = frozenset(vocabulary.capabilities)
        program = Program(source, block, capabilities, state.cost, vocabulary.amenders(), tuple(state.mentions))
    return Checked(source, program, problems, reading.phrases, reading.comments, vocabulary)


def _start(text: str, reading: syntax.Reading) -> int:
    """Where the first command begins; the start of the text if something wrong comes before it."""
    start = reading.phrases[0].span.start if reading.phrases else 0
    is_first = all(problem.span.start >= start for problem in reading.problems)
    return start if is_first else int(text.startswith("\ufeff"))  # after a byte order mark


class _Checker:
    """One script being checked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.vocabulary = script.vocabulary
        self.complain = script.complain
        self.required = 0
        self.suggested: set[tuple[str, str]] = set()
        """Seam and name of the unknown words that already have a hint."""
        self.unended = {p.span.end: p for p in script.problems if p.rule == "semicolon-missing"}
        """Where a `;` is missing -> the problem."""

    # commands

    def check_script(self, phrases: Sequence[Phrase]) -> Block:
        """The block of the whole script. RFC 5228, 3.2: `require` comes before everything else."""
        begin = 0
        while begin < len(phrases) and phrases[begin].word == "require":
            self._require(phrases[begin])
            begin += 1
        return self._block(phrases[begin:])

    def _require(self, phrase: Phrase) -> None:
        values = [item for a in phrase.arguments for item in (a.items if isinstance(a, StringList) else [a])]
        texts = [value for value in values if isinstance(value, String)]
        if len(phrase.arguments) != 1 or len(texts) != len(values) or phrase.tests or phrase.block is not None:
            message = "require takes one string or string list"
            self.complain("argument-type", message, phrase.whole, 'write: require ["fileinto"];')
        for text in texts:
            self.required += 1
            if self.required > limits.CAPABILITIES:
                message = f"the script requires more than {limits.CAPABILITIES} extensions"
                self.complain("capabilities-too-many", message, text.span)
                return
            if not self.vocabulary.require(text.value):
                self._unknown_capability(text)
            self.script.report_collisions(text.span)
            extension = self.vocabulary.library.find(text.value)
            if extension is not None and extension.successor:
                hint = f'use "{extension.successor}" instead'
                message = f'extension "{text.value}" is obsolete'
                self.complain("require-obsolete", message, text.span, hint, Severity.ADVICE)

    def _unknown_capability(self, text: String) -> None:
        library = self.vocabulary.library
        if library.later(text.value) and library.find(text.value.lower()) is None:
            message = f'extension "{text.value}" is not supported in this version'
            self.complain("require-unknown", message, text.span)
        else:

            def suggest() -> Suggestion:
                return similar(text.value, library.everything(), text.span, '"{}"') or NO_SUGGESTION

            self.complain("require-unknown", f'unknown extension "{brief(text.value)}"', text.span, suggest)

    def _block(self, phrases: Sequence[Phrase]) -> Block:
        if self.unended:
            phrases = self._with_strings_quoted(phrases)
        steps: list[Any] = []
        i = 0
        while i < len(phrases):
            chain = 1
            if phrases[i].word == "if":
                while i + chain < len(phrases) and phrases[i + chain].word in ("elsif", "else"):
                    chain += 1
            step = self._command(phrases[i : i + chain], phrases[i - 1] if i else None)
            if step is not None:
                steps.append(step)
            i += chain
        steps_of_block = cost(phrases)
        self.script.cost += steps_of_block
        return Block(tuple(steps), steps_of_block)

    def _block_of(self, word: Any, phrases: Sequence[Phrase]) -> Block:
        self.script.enclosing.append(word)
        block = self._block(phrases)
        self.script.enclosing.pop()
        return block

    def _with_strings_quoted(self, phrases: Sequence[Phrase]) -> list[Phrase]:
        """The phrases of a block, where a command that lacks its `;` and an unknown word after it are one command whose
        string is not in quotes: `fileinto Junk;`."""
        joined: list[Phrase] = []
        for phrase in phrases:
            before = joined[-1] if joined else None
            if before is not None and before.whole.end in self.unended and self._is_text(phrase, before):
                problem = syntax.unquoted(self.script.source.text, phrase.span)
                self.script.replace(self.unended.pop(before.whole.end), problem)
                string = String(self.script.source.text[slice(*phrase.span)], phrase.span)
                joined[-1] = Phrase(before.word, before.span, (*before.arguments, string, *phrase.arguments))
            else:
                joined.append(phrase)
        return joined

    def _is_text(self, phrase: Phrase, before: Phrase) -> bool:
        """Whether an unknown command is probably a string of the command `before`, on the same line."""
        if phrase.tests or phrase.block is not None or not phrase.word or before.word == "require":
            return False
        declared = self.vocabulary.commands.get(before.word)
        takes_strings = declared is None or any(
            field.shape in (Shape.STRING, Shape.STRINGS) for field in grammar_of(declared.made).values
        )
        known = phrase.word in self.vocabulary.commands or phrase.word in self.vocabulary.tests
        line_end = "\n" in self.script.source.text[before.whole.end : phrase.span.start]
        return takes_strings and not known and not line_end and not self.script.requiring("action", phrase.word)

    def _command(self, phrases: Sequence[Phrase], before: Phrase | None) -> Any:
        """A command as one step, an `if` with its arms; `before` is the command before it."""
        phrase = phrases[0]
        word = phrase.word
        if word == "require":
            self._require(phrase)
            message = "require must come before all other commands"  # RFC 5228, 3.2
            self.complain("require-late", message, phrase.span, "move it to the top")
            return None
        declared = self.vocabulary.commands.get(word)
        if declared is not None:
            is_if = grammar_of(declared.made).of(Shape.ARMS) is not None
            return self._arms(declared, phrases) if is_if else self._word(declared, phrase)
        self._unknown_command(phrase, before)
        # what is inside is checked anyway
        for test in phrase.tests:
            self._test(test)
        if phrase.block is not None:
            self._block(phrase.block)
        return self._unmet(phrase.span, f"unknown command {brief(word)}") if word else None

    def _unknown_command(self, phrase: Phrase, before: Phrase | None) -> None:
        word = phrase.word
        is_test = word in self.vocabulary.tests
        if is_test and before is not None and before.whole.end in self.unended:
            # what was taken for a command of its own is a test that the one before does not take
            problem = Problem("argument-type", f"{before.word} takes no test", phrase.span)
            self.script.replace(self.unended.pop(before.whole.end), problem)
        elif not is_test and (missing := self.vocabulary.missing_member(word)):
            message, names = missing
            hint = f"configured: {', '.join(names)}" if names else "none is configured"
            self.script.defer("word-unknown", brief(message), phrase.span, hint)
        elif word:
            message = f"{word} is a test, not a command" if is_test else f"unknown command {brief(word)}"
            self._unknown("action", phrase, message, [*self.vocabulary.commands, "elsif", "else"])

    def _unmet(self, span: Span, message: str) -> Unmet | None:
        """The step in place of something unknown, in a script that asks which extensions there are."""
        return Unmet(message, self.script.place(span)) if self.vocabulary.deferring else None

    def _arms(self, declared: Declared, phrases: Sequence[Phrase]) -> Any:
        """An `if` with all its arms as one step: a tuple, however many there are."""
        arms = []
        word = declared.made.__new__(declared.made)
        for phrase in phrases:
            test = self._test(phrase.tests[0]) if phrase.tests else None
            arms.append((test, self._block_of(word, phrase.block or ())))
        field = grammar_of(declared.made).of(Shape.ARMS)
        assert field is not None  # the caller asked  # noqa: S101
        setattr(word, field.name, tuple(arms))
        word.span = phrases[0].span
        word.origin = self.script.source
        return self.script.finished(word, {}, {}, ())

    def _unknown(self, seam: str, phrase: Phrase, message: str, names: Iterable[str]) -> None:
        """Report an unknown command or test; its hint once for each word."""
        word, span = phrase.word, phrase.span

        def suggest() -> Suggestion:
            if (seam, word) in self.suggested:
                return NO_SUGGESTION
            self.suggested.add((seam, word))
            return self.script.requiring(seam, word) or similar(word, names, span) or NO_SUGGESTION

        self.script.defer("word-unknown", message, span, suggest)

    def _test(self, phrase: Phrase) -> Any:
        declared = self.vocabulary.tests.get(phrase.word)
        if declared is not None:
            return self._word(declared, phrase)
        if phrase.word:
            is_command = phrase.word in self.vocabulary.commands
            message = f"{phrase.word} is a command, not a test" if is_command else f"unknown test {brief(phrase.word)}"
            self._unknown("test", phrase, message, self.vocabulary.tests)
        for test in phrase.tests:
            self._test(test)
        return self._unmet(phrase.span, f"unknown test {brief(phrase.word)}") if phrase.word else None

    # one word

    def _word(self, declared: Declared, phrase: Phrase) -> Any:
        if self.vocabulary.phase not in declared.phases:
            self.complain("phase-invalid", _not_in_phase(phrase.word, self.vocabulary.phase), phrase.span)
        if len(phrase.arguments) > limits.ARGUMENTS:
            message = f"{phrase.word} has more than {limits.ARGUMENTS} arguments"
            self.complain("arguments-too-many", message, phrase.span)
            return None
        grammar = grammar_of(declared.made)
        if phrase.tests and not grammar.takes_tests:
            self._unexpected_tests(phrase)
            return None
        use = Use(self.script, phrase)
        word = declared.made.__new__(declared.made)
        word.span = phrase.span
        word.origin = self.script.source
        if declared.extension.settings:
            word.settings = self.vocabulary.settings(declared.extension)
        binding = Binding(self.script, phrase.word, use, self.vocabulary.tags_on(declared, use.tags))
        ok = binding.bind(word, declared.made, phrase)
        if phrase.block is not None or grammar.nested:
            ok = self._nested(word, grammar, phrase) and ok
        if not ok:
            return self._unmet(phrase.span, binding.unknown) if binding.unknown else None
        word.check(use)
        capabilities = binding.capabilities
        if self.vocabulary.conditional:
            capabilities |= {declared.extension.capability}
        return self.script.finished(word, binding.templates, binding.flaws, capabilities)

    def _unexpected_tests(self, phrase: Phrase) -> None:
        """Report the tests of a word that takes none: `header ... and header ...`, or a string without quotes. What is
        inside is checked anyway."""
        first = phrase.tests[0]
        words: list[Phrase] = []
        following: Sequence[Phrase] = phrase.tests
        while len(following) == 1 and following[0].word not in {*self.vocabulary.tests, *_COMBINING}:
            words.append(following[0])
            following = following[0].tests
        if words and not any(word.arguments for word in words[:-1]) and not self._is_test(words[0]):
            self.script.report(syntax.unquoted(self.script.source.text, *(word.span for word in words)))
        else:
            combining = _COMBINING.get(first.word)
            hint = f"to combine tests, write: {combining or 'allof'} (TEST, TEST)"
            hint += "" if combining else " or anyof (TEST, TEST)"
            self.complain("argument-type", f"{phrase.word} takes no test", first.span, hint)
            following = first.tests if combining else phrase.tests
        for test in following:
            self._test(test)
        if phrase.block is not None:
            self._block(phrase.block)

    def _is_test(self, phrase: Phrase) -> bool:
        """Whether some extension has a test of that name."""
        return self.script.requiring("test", phrase.word) is not None

    def _nested(self, word: Any, grammar: Grammar, phrase: Phrase) -> bool:
        """Bind the tests and the block that a word takes; whether they fit its grammar."""
        ok = True
        for field in grammar.nested:
            value: Any = None
            if field.shape is Shape.BLOCK:
                value = None if phrase.block is None else self._block_of(word, phrase.block)
            else:
                tests = tuple([self._test(test) for test in phrase.tests])
                ok = ok and None not in tests
                if field.shape is Shape.TESTS:
                    value = tests
                elif len(tests) == 1:
                    value = tests[0]
            if value is not None:
                setattr(word, field.name, value)
            elif ok:
                ok = self._wrong_nesting(grammar, phrase, f"{phrase.word} takes a {field.shape}")
        if phrase.block is not None and grammar.of(Shape.BLOCK) is None:
            self._block(phrase.block)
            ok = self._wrong_nesting(grammar, phrase, f"{phrase.word} takes no block")
        return ok

    def _wrong_nesting(self, grammar: Grammar, phrase: Phrase, message: str) -> bool:
        self.complain("argument-type", message, phrase.span, f"usage: {grammar.usage(phrase.word)}")
        return False


_COMBINING = {"and": "allof", "or": "anyof"}
"""Words of other languages that combine tests -> Sieve's."""


def _not_in_phase(word: str, phase: str) -> str:
    reason = ": there is no recipient yet" if phase in ("data", "spool") else ""
    return f"{word} is not allowed in {phase}-phase scripts{reason}"
