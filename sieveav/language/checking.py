"""checking: phrases and a vocabulary to a program, or to every problem that can be found before a message is seen.

Each phrase becomes one instance of the class that declared its word: fields bound by the class's grammar, strings read,
foreign tags attached, `check(use)` asked for complaints, and `prepare()` for what follows from the fields alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sieveav import limits
from sieveav.language import syntax
from sieveav.language.binding import Binding
from sieveav.language.extension import Declared
from sieveav.language.grammar import Shape, grammar_of
from sieveav.language.phrases import Phrase, String, Strings
from sieveav.language.problems import Problem, Severity, Source, Span, did_you_mean
from sieveav.language.program import Block, Program, Unmet
from sieveav.language.use import Script, Use, brief
from sieveav.language.vocabulary import Vocabulary


@dataclass(frozen=True)
class Checked:
    """What became of a script: its program, None where a problem is an error, and all problems in order of place."""

    source: Source
    program: Program | None
    problems: tuple[Problem, ...]
    phrases: tuple[Phrase, ...]

    @property
    def first_error(self) -> Problem:
        """The first problem that is an error; only for a script without a program."""
        return next(problem for problem in self.problems if problem.severity is Severity.ERROR)

    def __str__(self) -> str:
        return self.source.path


def check(script: bytes, path: str, vocabulary: Vocabulary) -> Checked:
    """Check the script `script`, known as `path`, with a vocabulary made for it. Never raises for what a script says."""
    source = Source(path, script.decode("utf-8", "surrogateescape"))
    phrases, problems = syntax.read(source.text)
    about = Script(source, vocabulary, problems)
    block = _Checker(about).whole(phrases)
    errors_first = sorted(about.problems, key=lambda problem: problem.severity is not Severity.ERROR)
    problems = sorted(errors_first[: limits.PROBLEMS + 1], key=lambda problem: problem.span)
    program = None
    if not any(problem.severity is Severity.ERROR for problem in problems):
        about.prepare()
        capabilities = frozenset(vocabulary.capabilities)
        program = Program(source, block, capabilities, about.cost, vocabulary.amenders(), tuple(about.mentions))
    return Checked(source, program, tuple(problems), phrases)


class _Checker:
    """One script being checked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.vocabulary = script.vocabulary
        self.complain = script.complain
        self.charged = 0
        self.hinted: set[tuple[str, str]] = set()
        self.unended = {problem.span: problem for problem in script.problems if problem.rule == "semicolon-missing"}
        """Where a command was taken to end though no ; is there."""

    # commands

    def whole(self, phrases: Sequence[Phrase]) -> Block:
        """The block of the whole script. RFC 5228, 3.2: `require` stands before everything else."""
        begun = 0
        while begun < len(phrases) and phrases[begun].word == "require":
            self._require(phrases[begun])
            begun += 1
        return self._block(phrases[begun:])

    def _require(self, phrase: Phrase) -> None:
        values = [item for a in phrase.arguments for item in (a.items if isinstance(a, Strings) else [a])]
        texts = [value for value in values if isinstance(value, String)]
        if len(phrase.arguments) != 1 or len(texts) != len(values) or phrase.tests or phrase.block is not None:
            self.complain(
                "argument-type", "require takes one list of capabilities", phrase.whole, 'write: require ["fileinto"];'
            )
        for text in texts:
            if not self.vocabulary.require(text.value):
                library = self.vocabulary.library
                if library.later(text.value):
                    message, hint = f'"{text.value}" is not in this version', ""
                else:
                    message = f'there is no capability "{brief(text.value)}"'
                    hint = did_you_mean(text.value, library.everything())
                self.complain("require-unknown", message, text.span, hint)
            self._learnt(text)

    def _learnt(self, text: String) -> None:
        """Report what a capability that was required brings beside its words."""
        self.script.report_collisions(text.span)
        extension = self.vocabulary.library.find(text.value)
        if extension is not None and extension.successor:
            message = f'"{text.value}" is obsolete'
            hint = f'use "{extension.successor}" instead'
            self.complain("require-obsolete", message, text.span, hint, Severity.ADVICE)

    def _block(self, phrases: Sequence[Phrase]) -> Block:
        before = self.script.cost - self.charged
        steps: list[Any] = []
        i = 0
        while i < len(phrases):
            chain = 1
            if phrases[i].word == "if":
                while i + chain < len(phrases) and phrases[i + chain].word in ("elsif", "else"):
                    chain += 1
            step = self._command(phrases[i : i + chain], phrases[i - 1].word if i else "")
            if step is not None:
                steps.append(step)
            i += chain
        cost = self.script.cost - self.charged - before
        self.charged += cost
        return Block(tuple(steps), cost)

    def _block_of(self, word: Any, phrases: Sequence[Phrase]) -> Block:
        self.script.enclosing.append(word)
        block = self._block(phrases)
        self.script.enclosing.pop()
        return block

    def _command(self, phrases: Sequence[Phrase], before: str) -> Any:
        """A command as one step; `before` is the word of the command before it."""
        phrase = phrases[0]
        word = phrase.word
        self.script.cost += 1
        if word == "require":
            self._require(phrase)
            self.complain("require-late", "require stands after other commands", phrase.span, "move it to the top")
            return None
        declared = self.vocabulary.commands.get(word)
        if word in self.vocabulary.tests and declared is None and phrase.span in self.unended:
            # what was taken for a command of its own is a test that the one before does not take
            self.script.withdraw(self.unended.pop(phrase.span))
            self.complain("argument-type", f"{before} takes no test", phrase.span)
        elif word and declared is None:
            what = (
                f"{word} is a test, not a command"
                if word in self.vocabulary.tests
                else f"unknown command {brief(word)}"
            )
            self._unknown("action", word, phrase.span, what, [*self.vocabulary.commands, "elsif", "else"])
        elif declared is not None:
            grammar = grammar_of(declared.made)
            if grammar.of(Shape.ARMS) is not None:
                return self._arms(declared, phrases)
            return self._word(declared, phrase)
        # what is inside is checked anyway
        for test in phrase.tests:
            self._test(test)
        if phrase.block is not None:
            self._block(phrase.block)
        return self._unmet(phrase.span, f"unknown command {brief(word)}") if word and declared is None else None

    def _unmet(self, span: Span, message: str) -> Unmet | None:
        """What takes the place of something unknown, in a script that asks what there is."""
        return Unmet(message, self.script.place(span)) if self.vocabulary.deferring else None

    def _arms(self, declared: Declared, phrases: Sequence[Phrase]) -> Any:
        """An `if` with all its arms as one step: a tuple, however many there are."""
        arms = []
        word = declared.made.__new__(declared.made)
        for phrase in phrases:
            test = self._test(phrase.tests[0]) if phrase.tests else None
            arms.append((test, self._block_of(word, phrase.block or ())))
        field = grammar_of(declared.made).of(Shape.ARMS)
        assert field is not None  # asked by the caller  # noqa: S101
        setattr(word, field.name, tuple(arms))
        word.span = phrases[0].span
        word.origin = self.script.source
        return self.script.finished(word, {}, {}, ())

    def _unknown(self, seam: str, word: str, span: Span, message: str, known: Iterable[str]) -> None:
        hint = ""
        if (seam, word) not in self.hinted and len(self.hinted) < limits.PROBLEMS:
            self.hinted.add((seam, word))
            hint = self.vocabulary.requiring(seam, word) or did_you_mean(word, known)
        self.script.defer("word-unknown", message, span, hint)

    def _test(self, phrase: Phrase) -> Any:
        self.script.cost += 1
        declared = self.vocabulary.tests.get(phrase.word)
        if declared is None:
            if phrase.word:
                known = phrase.word in self.vocabulary.commands
                what = f"{phrase.word} is a command, not a test" if known else f"unknown test {brief(phrase.word)}"
                self._unknown("test", phrase.word, phrase.span, what, self.vocabulary.tests)
            for test in phrase.tests:
                self._test(test)
            return self._unmet(phrase.span, f"unknown test {brief(phrase.word)}") if phrase.word else None
        return self._word(declared, phrase)

    # one word

    def _word(self, declared: Declared, phrase: Phrase) -> Any:
        use = Use(self.script, phrase)
        if self.vocabulary.phase not in declared.phases:
            place = "where there is no recipient yet" if self.vocabulary.phase in ("data", "spool") else "in this phase"
            self.complain("wrong-phase", f"{phrase.word} cannot stand {place}", phrase.span)
        if len(phrase.arguments) > limits.ARGUMENTS:
            self.complain("too-many-arguments", f"more than {limits.ARGUMENTS} arguments", phrase.span)
            return None
        word = declared.made.__new__(declared.made)
        word.span = phrase.span
        word.origin = self.script.source
        if declared.extension.settings:
            word.settings = self.vocabulary.settings(declared.extension)
        binding = Binding(self.script, phrase.word, use, self.vocabulary.tags_on(declared, use.tags))
        whole = binding.bind(word, declared.made, phrase.arguments, phrase)
        if phrase.tests or phrase.block is not None or grammar_of(declared.made).nests:
            whole = self._inner(word, declared, phrase) and whole
        if not whole:
            return self._unmet(phrase.span, binding.unknown) if binding.unknown else None
        word.check(use)
        brought = binding.brought
        if self.vocabulary.conditional:
            brought |= {declared.extension.capability}
        return self.script.finished(word, binding.templates, binding.rules, brought)

    def _inner(self, word: Any, declared: Declared, phrase: Phrase) -> bool:
        """Bind the tests and the block that a word takes; whether they are as its grammar has them."""
        grammar = grammar_of(declared.made)
        one, many, block = grammar.of(Shape.TEST), grammar.of(Shape.TESTS), grammar.of(Shape.BLOCK)
        tests = tuple(self._test(test) for test in phrase.tests)
        right = None not in tests
        if many is not None:
            setattr(word, many.name, tests)
        elif one is not None and len(tests) == 1:
            setattr(word, one.name, tests[0])
        elif one is not None or tests:
            message = f"{phrase.word} takes {'one test' if one else 'no test'}"
            self.complain("argument-type", message, phrase.span, f"usage: {grammar.usage(phrase.word)}")
            right = False
        inner = None if phrase.block is None else self._block_of(word, phrase.block)
        if (block is None) != (inner is None):
            message = f"{phrase.word} takes {'a block' if block else 'no block'}"
            self.complain("argument-type", message, phrase.span, f"usage: {grammar.usage(phrase.word)}")
            right = False
        elif block is not None:
            setattr(word, block.name, inner)
        return right
