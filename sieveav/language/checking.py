"""checking: phrases and a vocabulary to a program, or to every problem that can be found before a message is seen.

Each phrase becomes one instance of the class that declared its word: fields bound by the class's grammar, strings read,
foreign tags attached, `check(use)` asked for complaints, and `prepare()` for what follows from the fields alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar

from sieveav import limits
from sieveav.language import syntax
from sieveav.language.extension import Declared
from sieveav.language.grammar import REQUIRED, Field, Shape, grammar_of
from sieveav.language.phrases import Argument, Number, Phrase, String, Strings, Tag
from sieveav.language.problems import Problem, Severity, Source, Span, did_you_mean
from sieveav.language.program import Block, Pieces, Program, Unsettled, is_settled
from sieveav.language.vocabulary import Vocabulary

M = TypeVar("M")


@dataclass(frozen=True)
class Checked:
    """What became of a script: its program, None where a problem is an error, and all problems in order of place."""

    source: Source
    program: Program | None
    problems: tuple[Problem, ...]
    phrases: tuple[Phrase, ...]


def check(script: bytes, path: str, vocabulary: Vocabulary) -> Checked:
    """Check the script `script`, known as `path`, with a vocabulary made for it. Never raises for what a script says."""
    source = Source(path, script.decode("utf-8", "surrogateescape"))
    phrases, problems = syntax.read(source.text)
    checker = _Checker(vocabulary, problems)
    block = checker.script(phrases)
    errors_first = sorted(checker.problems, key=lambda problem: problem.severity is not Severity.ERROR)
    problems = sorted(errors_first[: limits.PROBLEMS + 1], key=lambda problem: problem.span)
    program = None
    if not any(problem.severity is Severity.ERROR for problem in problems):
        capabilities, unwritten = frozenset(vocabulary.capabilities), _in_order(checker.unwritten("keep"))
        program = Program(source, block, capabilities, checker.cost, vocabulary.settings, unwritten)
        checker.prepare()
    return Checked(source, program, tuple(problems), phrases)


@dataclass(frozen=True)
class Given:
    """One string of a script as a word's `check` sees it: its value, and where it stands."""

    value: str
    span: Span


class Use:
    """One place where a word is used, for its `check` and for the readers of strings."""

    def __init__(self, checker: _Checker, phrase: Phrase, declared: Declared | None) -> None:
        self._checker = checker
        self._phrase = phrase
        self.declared = declared
        self.spans: dict[str, Span] = {}
        self.given: dict[str, list[Given]] = {}
        self.unknown: set[str] = set()
        """The fields with strings that are only known while running."""
        self.enclosing = tuple(checker.enclosing)
        """The words in whose blocks this one stands, the outermost first."""

    @property
    def phase(self) -> str:
        """The SMTP phase of the script."""
        return self._checker.vocabulary.phase

    def requires(self, capability: str) -> bool:
        """Whether the script has required `capability` by now."""
        return capability in self._checker.vocabulary.capabilities

    def has(self, field: str) -> bool:
        """Whether the script gives `field`, rather than leaving it to its default."""
        return field in self.spans

    @property
    def tags(self) -> frozenset[str]:
        """All tags of the phrase as written, this word's own and others': what a tag asks that goes with another."""
        return frozenset(argument.name for argument in self._phrase.arguments if isinstance(argument, Tag))

    def choices(self, kind: str) -> dict[str, Any]:
        """The classes of the choices of `kind` known here, by name: for a field of strings that name them."""
        return {name: declared.made for name, declared in self._checker.vocabulary.choices.get(kind, {}).items()}

    def chosen(self, kind: str, name: Given) -> bool:
        """Whether `name` names a choice of `kind`; complains if not."""
        return self._checker.choice(kind, name.value, name.span) is not None

    def strings(self, field: str) -> list[Given]:
        """The strings given for `field`, those left out that are only known while running."""
        return self.given.get(field, [])

    def constants(self, field: str) -> list[Given]:
        """The strings given for `field`, for a word that wants all of them known beforehand (RFC 5229, 3); complains of
        those that are not."""
        if field in self.unknown:
            message = "this must be known before the script runs"
            self.complain(field, message, "write it without variables", rule="not-constant")
        return self.strings(field)

    def namespace(self, name: str) -> Any:
        """The class of the variables' namespace `name`, None where there is none."""
        declared = self._checker.vocabulary.namespaces.get(name.lower())
        return declared.made if declared else None

    def lacking(self, seam: str, name: str) -> str:
        """The hint which `require` would bring the word, namespace or the like, "" where nothing does."""
        offering = self._checker.vocabulary.offering(seam, name.lower())
        return f'write: require "{offering[0]}";' if offering else ""

    def setting(self, capability: str, name: str) -> Any:
        """The value of a setting of an extension that is known here."""
        return self._checker.vocabulary.settings[capability][name]

    def memory(self, kind: Callable[[], M]) -> M:
        """The one `kind` of this script: what is remembered from one place to the next while it is checked."""
        found = self._checker.memories.get(kind)
        if found is None:
            found = self._checker.memories[kind] = kind()
        return found

    def note(self, key: str) -> None:
        """Remember `key` for the whole script; `noted` asks, from `prepare` on or while checking."""
        self._checker.notes.add(key)

    def names(self, of: str) -> tuple[str, ...] | None:
        """The names that the host gives as `of` (such as engines), None where it gives none."""
        names = self._checker.vocabulary.names.get(of)
        return None if names is None else tuple(names)

    def complain(
        self,
        place: str | Given | Span | None,
        message: str,
        hint: str = "",
        *,
        rule: str = "argument-invalid",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Report a problem at a field by its name, at a string, or with None at the word itself."""
        if isinstance(place, Given):
            span = place.span
        elif isinstance(place, Span):
            span = place
        else:
            span = self.spans.get(place or "", self._phrase.span)
        self._checker.complain(rule, message, span, hint, severity)


class _Checker:
    """One script being checked."""

    def __init__(self, vocabulary: Vocabulary, problems: list[Problem]) -> None:
        self.vocabulary = vocabulary
        self.problems = problems
        self.notes: set[str] = set()
        self.counted = Counter(problem.severity for problem in problems)
        self.cost = 0
        self.charged = 0
        self.unprepared: list[Any] = []
        self.enclosing: list[Any] = []
        self.memories: dict[Any, Any] = {}
        self.hinted: set[tuple[str, str]] = set()

    def complain(
        self, rule: str, message: str, span: Span, hint: str = "", severity: Severity = Severity.ERROR
    ) -> None:
        self.counted[severity] += 1
        if self.counted[severity] <= limits.PROBLEMS:  # of each severity, so that no advice hides an error
            self.problems.append(Problem(rule, message, span, hint, severity))

    def choice(self, kind: str, name: str, span: Span) -> Declared | None:
        """The choice of `kind` that a string names; where there is none, a problem is reported."""
        choices = self.vocabulary.choices.get(kind, {})
        declared = choices.get(name.lower())
        if declared is None:
            offering = self.vocabulary.offering("choice", name.lower(), kind=kind)
            hint = f'write: require "{offering[0]}";' if offering else did_you_mean(name, choices)
            hint = hint or f"write one of {', '.join(sorted(choices))}"
            message = f'there is no {kind.replace("_", " ")} "{_brief(name)}"'
            self.complain(f"{kind.replace('_', '-')}-unknown", message, span, hint)
        return declared

    def prepare(self) -> None:
        """Let every word derive what follows from its fields; last, for by now all is known of the script. Inner words
        stand before outer ones."""
        for word in self.unprepared:
            word.notes = self.notes
            prepare = getattr(word, "prepare", None)
            if prepare is not None:
                prepare()

    # commands

    def script(self, phrases: Sequence[Phrase]) -> Block:
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
                known = [extension.capability for extension in self.vocabulary.library.everything()]
                hint = did_you_mean(text.value, known)
                self.complain("require-unknown", f'there is no capability "{_brief(text.value)}"', text.span, hint)

    def _block(self, phrases: Sequence[Phrase]) -> Block:
        before = self.cost - self.charged
        steps: list[Any] = []
        i = 0
        while i < len(phrases):
            chain = 1
            if phrases[i].word == "if":
                while i + chain < len(phrases) and phrases[i + chain].word in ("elsif", "else"):
                    chain += 1
            step = self._command(phrases[i : i + chain])
            if step is not None:
                steps.append(step)
            i += chain
        cost = self.cost - self.charged - before
        self.charged += cost
        return Block(tuple(steps), cost)

    def _block_of(self, word: Any, phrases: Sequence[Phrase]) -> Block:
        self.enclosing.append(word)
        block = self._block(phrases)
        self.enclosing.pop()
        return block

    def _command(self, phrases: Sequence[Phrase]) -> Any:
        phrase = phrases[0]
        word = phrase.word
        self.cost += 1
        if word == "require":
            self._require(phrase)
            self.complain("require-late", "require stands after other commands", phrase.span, "move it to the top")
            return None
        declared = self.vocabulary.commands.get(word)
        if word and declared is None:
            what = (
                f"{word} is a test, not a command"
                if word in self.vocabulary.tests
                else f"unknown command {_brief(word)}"
            )
            self._unknown("action", word, phrase.span, what, [*self.vocabulary.commands, "elsif", "else"])
        elif declared is not None:
            grammar = grammar_of(declared.made)
            if grammar.of(Shape.ARMS) is not None:
                return self._arms(declared, phrases)
            return self._word(declared, phrase)
        # what stands within is checked all the same
        for test in phrase.tests:
            self._test(test)
        if phrase.block is not None:
            self._block(phrase.block)
        return None

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
        word.span, word.tags = phrases[0].span, ()
        self.unprepared.append(word)
        return word

    def _unknown(self, seam: str, word: str, span: Span, message: str, known: Iterable[str]) -> None:
        hint = ""
        if (seam, word) not in self.hinted and len(self.hinted) < limits.PROBLEMS:
            self.hinted.add((seam, word))
            offering = self.vocabulary.offering(seam, word)
            hint = f'write: require "{offering[0]}";' if offering else did_you_mean(word, known)
        self.complain("word-unknown", message, span, hint)

    def _test(self, phrase: Phrase) -> Any:
        self.cost += 1
        declared = self.vocabulary.tests.get(phrase.word)
        if declared is None:
            if phrase.word:
                known = phrase.word in self.vocabulary.commands
                what = f"{phrase.word} is a command, not a test" if known else f"unknown test {_brief(phrase.word)}"
                self._unknown("test", phrase.word, phrase.span, what, self.vocabulary.tests)
            for test in phrase.tests:
                self._test(test)
            return None
        return self._word(declared, phrase)

    # one word

    def _word(self, declared: Declared, phrase: Phrase) -> Any:
        use = Use(self, phrase, declared)
        if self.vocabulary.phase not in declared.phases:
            place = "where there is no recipient yet" if self.vocabulary.phase in ("data", "spool") else "in this phase"
            self.complain("wrong-phase", f"{phrase.word} cannot stand {place}", phrase.span)
        if len(phrase.arguments) > limits.ARGUMENTS:
            self.complain("too-many-arguments", f"more than {limits.ARGUMENTS} arguments", phrase.span)
            return None
        word = declared.made.__new__(declared.made)
        word.span, word.tags = phrase.span, ()
        word.settings = self.vocabulary.settings.get(declared.extension.capability, {})
        binding = _Binding(self, phrase.word, use, self.vocabulary.tags.get(phrase.word, {}))
        whole = binding.bind(word, declared.made, phrase.arguments, phrase)
        whole = self._inner(word, declared, phrase) and whole
        if not whole:
            return None
        check = getattr(word, "check", None)
        if check is not None:
            check(use)
        return self._finished(word, binding.templates)

    def _finished(self, word: Any, templates: dict[str, Any]) -> Any:
        if templates:
            word.notes = self.notes
            return Unsettled(word, templates)
        self.unprepared.append(word)
        return word

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

    def read(self, text: String, use: Use) -> Any:
        """The string that `text` stands for, or a template, by the readers that are required."""
        value: Any = text.value
        if len(value) > limits.STRING_SIZE:
            self.complain("string-too-long", f"a string has at most {limits.STRING_SIZE} octets", text.span)
            return ""
        pieces: list[Any] = [value]
        for reader in self.vocabulary.readers:
            read = reader.made().read
            found = [read(piece, use, text.span) if isinstance(piece, str) else piece for piece in pieces]
            pieces = [piece for made in found for piece in (made if isinstance(made, list) else [made])]
        if all(isinstance(piece, str) for piece in pieces):
            return "".join(pieces)
        return Pieces(pieces)

    def unwritten(self, word: str, given: Container[str] = ()) -> list[tuple[int, Any]]:
        """What stands in the place of the tags of `word` that are not among `given`, each after its order."""
        return [
            (declared.order, declared.unwritten())
            for name, declared in self.vocabulary.tags.get(word, {}).items()
            if declared.unwritten is not None and name not in given
        ]


class _Binding:
    """The arguments of one phrase being bound to the fields of its word, and of the tags and choices among them."""

    def __init__(self, checker: _Checker, word: str, use: Use, foreign: dict[str, Declared]) -> None:
        self.checker = checker
        self.word = word
        self.use = use
        self.foreign = foreign
        self.templates: dict[str, Any] = {}
        self.right = True

    def wrong(self, rule: str, message: str, span: Span, hint: str = "") -> None:
        self.right = False
        self.checker.complain(rule, message, span, hint)

    def bind(self, word: Any, cls: type, arguments: Sequence[Argument], phrase: Phrase) -> bool:
        """Set the fields of `word`; whether the arguments are as the grammar has them. RFC 5228, 2.6.2: tags and what
        belongs to them stand before the positional arguments."""
        grammar = grammar_of(cls)
        usage = f"usage: {grammar.usage(self.word)}"
        stream = _Stream(arguments)
        given: set[str] = set()
        tags: list[tuple[int, Any]] = []
        while isinstance(stream.peek(), Tag):
            tag = stream.take()
            field = self._field_of(tag.name, grammar.tagged)
            name = field.name if field else tag.name
            if name in given:
                self.wrong("tag-repeated", self._repeated(field, tag), tag.span)
            given.add(name)
            if field is not None:
                self._tagged(word, field, tag, stream, usage)
            elif tag.name in self.foreign:
                bound = self._made(self.foreign[tag.name], tag, stream)
                if bound is not None:
                    tags.append((self.foreign[tag.name].order, bound))
            else:
                self._unknown_tag(tag, stream, grammar.tagged)
        tags += self.checker.unwritten(self.word, given)
        word.tags = _in_order(tags)
        if not all(map(is_settled, word.tags)):
            self.templates["tags"] = word.tags
        for field in grammar.tagged:
            if field.name not in given:
                self._default(word, field)
        self._positional(word, grammar.values, stream, phrase, usage)
        return self.right

    def _repeated(self, field: Field | None, tag: Tag) -> str:
        if field is not None and field.kind:
            return f"{tag.name} is a second {field.kind.replace('_', ' ')}"
        return f"{tag.name} is given twice"

    def _field_of(self, tag: str, fields: Sequence[Field]) -> Field | None:
        for field in fields:
            if field.tag == tag:
                return field
            if field.kind and not field.tag and tag in self.checker.vocabulary.choices.get(field.kind, {}):
                return field
        return None

    def _unknown_tag(self, tag: Tag, stream: _Stream, fields: Sequence[Field]) -> None:
        vocabulary = self.checker.vocabulary
        offering = vocabulary.offering("tag", tag.name, on=self.word)
        for field in fields:
            if field.kind and not field.tag:
                offering += vocabulary.offering("choice", tag.name, kind=field.kind)
        known = [f.tag for f in fields if f.tag] + list(self.foreign)
        known += [name for f in fields if f.kind and not f.tag for name in vocabulary.choices.get(f.kind, {})]
        hint = f'write: require "{offering[0]}";' if offering else did_you_mean(tag.name, known)
        self.wrong("tag-unknown", f"{self.word} takes no {_brief(tag.name)}", tag.span, hint)
        while stream.peek() is not None and not isinstance(stream.peek(), Tag):
            stream.take()  # what follows an unknown tag may belong to it: no second complaint

    def _tagged(self, word: Any, field: Field, tag: Tag, stream: _Stream, usage: str) -> None:
        self.use.spans[field.name] = tag.span
        if field.kind and field.tag:
            name = stream.take() if isinstance(stream.peek(), String) else None
            if not isinstance(name, String):
                self.wrong("argument-type", f"{tag.name} is followed by a string", tag.span, usage)
                return
            self.use.spans[field.name] = name.span
            chosen = self.checker.choice(field.kind, name.value, name.span)
            if chosen is None:
                self.right = False
                return
            self._set(word, field.name, self._made(chosen, tag, stream))
        elif field.kind:
            declared = self.checker.vocabulary.choices[field.kind][tag.name]
            self._set(word, field.name, self._made(declared, tag, stream))
        elif field.shape is Shape.BARE:
            setattr(word, field.name, True)
        else:
            self._value(word, field, stream, tag.span, f"{tag.name} is followed by a {field.shape}")

    def _default(self, word: Any, field: Field) -> None:
        if not field.kind:
            setattr(word, field.name, field.default)
        elif field.default is None:
            setattr(word, field.name, None)
        else:
            declared = self.checker.vocabulary.choices[field.kind][field.default]
            self._set(word, field.name, self._made(declared, None, _Stream(())))

    def _set(self, word: Any, name: str, value: Any) -> None:
        setattr(word, name, value)
        if isinstance(value, Unsettled):
            self.templates[name] = value

    def _made(self, declared: Declared, tag: Tag | None, stream: _Stream) -> Any:
        """An instance of a foreign tag's or a choice's class, with what follows the tag."""
        made = declared.made.__new__(declared.made)
        made.name = declared.name
        made.span = tag.span if tag else self.use._phrase.span
        made.settings = self.checker.vocabulary.settings.get(declared.extension.capability, {})
        use = Use(self.checker, self.use._phrase, declared)
        inner = _Binding(self.checker, declared.name, use, {})
        for field in grammar_of(declared.made).values:
            inner._value(made, field, stream, made.span, f"{declared.name} is followed by a {field.shape}")
        if not inner.right:
            self.right = False
            return None
        check = getattr(made, "check", None)
        if check is not None:
            check(use)
        return self.checker._finished(made, inner.templates)

    def _positional(self, word: Any, fields: Sequence[Field], stream: _Stream, phrase: Phrase, usage: str) -> None:
        rest = list(stream.rest())
        for argument in [a for a in rest if isinstance(a, Tag)]:
            message = f"{_brief(argument.name)} must stand before the other arguments"
            self.wrong("tag-late", message, argument.span, usage)
        rest = [a for a in rest if not isinstance(a, Tag)]
        spare = len(rest) - sum(field.default is REQUIRED for field in fields)
        stream = _Stream(rest)
        for field in fields:
            if field.default is not REQUIRED:
                if spare <= 0:
                    setattr(word, field.name, field.default)
                    continue
                spare -= 1
            if stream.peek() is None:
                if self.right:
                    shown = field.name.replace("_", "-")
                    message = f"{self.word} wants a {field.shape}: {shown}"
                    self.wrong("argument-missing", message, phrase.whole, usage)
                return
            self._value(word, field, stream, phrase.span, f"{self.word} wants a {field.shape} here", usage)
        surplus = list(stream.rest())
        if surplus and self.right:
            span = Span(surplus[0].span.start, surplus[-1].span.end)
            self.wrong("argument-surplus", f"{self.word} takes no more arguments", span, usage)

    def _value(self, word: Any, field: Field, stream: _Stream, span: Span, wanted: str, hint: str = "") -> None:
        argument = stream.peek()
        if isinstance(argument, String) and field.shape in (Shape.STRING, Shape.STRINGS):
            items = [argument]
        elif isinstance(argument, Strings) and field.shape is Shape.STRINGS:
            items = list(argument.items)
        elif isinstance(argument, Number) and field.shape is Shape.NUMBER:
            stream.take()
            self.use.spans[field.name] = argument.span
            setattr(word, field.name, argument.value)
            return
        else:
            if argument is not None and not isinstance(argument, Tag):
                stream.take()
                span = argument.span
            self.wrong("argument-type", wanted, span, hint)
            return
        stream.take()
        self.use.spans[field.name] = argument.span
        self.checker.cost += len(items)
        values = tuple(self.checker.read(item, self.use) for item in items)
        known = [Given(v, item.span) for v, item in zip(values, items, strict=True) if isinstance(v, str)]
        self.use.given[field.name] = known
        value = values if field.shape is Shape.STRINGS else values[0]
        setattr(word, field.name, value)
        if len(known) != len(items):
            self.use.unknown.add(field.name)
            self.templates[field.name] = value


class _Stream:
    """The arguments of a phrase, taken one by one."""

    def __init__(self, arguments: Sequence[Argument]) -> None:
        self._arguments = arguments
        self._at = 0

    def peek(self) -> Argument | None:
        return self._arguments[self._at] if self._at < len(self._arguments) else None

    def take(self) -> Any:
        self._at += 1
        return self._arguments[self._at - 1]

    def rest(self) -> Iterator[Argument]:
        while self._at < len(self._arguments):
            yield self.take()


def _in_order(tags: list[tuple[int, Any]]) -> tuple[Any, ...]:
    return tuple(tag for _, tag in sorted(tags, key=itemgetter(0)))


def _brief(text: str) -> str:
    """A word of the script as a message shows it: printable and short."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:60])
    return shown + ("..." if len(text) > 60 else "")
