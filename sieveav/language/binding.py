"""binding: the arguments of a phrase to the fields of its word, and of the tags and choices among them.

The grammar is what the fields of the word's class say. Every argument that does not fit it is a problem, with the usage as
its hint.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sieveav import limits
from sieveav.language.extension import Declared
from sieveav.language.grammar import REQUIRED, Field, Flaw, Grammar, Shape, grammar_of
from sieveav.language.phrases import Argument, Number, Phrase, String, StringList, Tag
from sieveav.language.problems import Span
from sieveav.language.program import Pieces, is_constant
from sieveav.language.script import NO_SUGGESTION, Script, Suggestion, brief, similar
from sieveav.language.use import Given, Use
from sieveav.language.word import Word


class Binding:
    """The arguments of one phrase being bound to the fields of its word; `use` is the place as the word's `check` sees it."""

    __slots__ = ("capabilities", "flaws", "foreign", "grammar", "ok", "script", "templates", "unknown", "use", "word")

    def __init__(self, script: Script, word: str, use: Use, foreign: dict[str, Declared]) -> None:
        self.script = script
        self.word = word
        self.use = use
        self.foreign = foreign
        self.grammar: Grammar | None = None
        self.templates: dict[str, Any] = {}
        self.flaws: dict[str, Flaw] = {}
        self.capabilities: frozenset[str] = frozenset()
        """The capabilities that define the tags and choices on the word, in a script that asks for some."""
        self.ok = True
        self.unknown: str = ""
        """The run-time error of an unknown tag or choice, in a script that asks which extensions there are."""

    @property
    def usage(self) -> str:
        """The hint that shows the word's syntax."""
        return f"usage: {self.grammar.usage(self.word)}" if self.grammar else ""

    def wrong(self, rule: str, message: str, span: Span, hint: str = "") -> None:
        self.ok = False
        self.script.complain(rule, message, span, hint)

    def bind(self, word: Any, cls: type, phrase: Phrase) -> bool:
        """Set the fields of `word`; whether the arguments fit its grammar. RFC 5228, 2.6.2: tagged arguments come before
        positional ones."""
        grammar = self.grammar = grammar_of(cls)
        self.flaws = grammar.flaws
        stream = Stream(phrase.arguments)
        bound: set[str] = set()
        tags: list[tuple[int, Any]] = []
        while isinstance(stream.peek(), Tag):
            tag = stream.take()
            field = self._field_of(tag.name, grammar.tagged)
            name = field.name if field else tag.name
            if name in bound:
                self.wrong("tag-repeated", self._repeated(field, tag), tag.span)
            bound.add(name)
            if field is not None:
                self._tagged(word, field, tag, stream)
            elif tag.name in self.foreign:
                instance = self._instance(self.foreign[tag.name], tag, stream)
                if instance is not None:
                    tags.append((self.foreign[tag.name].order, instance))
            else:
                self._unknown_tag(tag, stream, grammar.tagged)
        if tags:
            word.tags = tuple(instance for _, instance in sorted(tags, key=itemgetter(0)))
        word.written = self.use.tags
        if not all(map(is_constant, word.tags)):
            self.templates["tags"] = word.tags
        for field in grammar.tagged:
            if field.name not in bound:
                self._default(word, field)
        self._positional(word, grammar, stream, phrase)
        return self.ok

    @staticmethod
    def _repeated(field: Field | None, tag: Tag) -> str:
        if field is not None and field.kind:
            return f"only one {field.kind.replace('_', ' ')} is allowed; {tag.name} is the second"
        return f"{tag.name} is repeated"

    # tagged arguments

    def _field_of(self, tag: str, fields: Sequence[Field]) -> Field | None:
        for field in fields:
            if field.tag == tag:
                return field
            if field.kind and not field.tag and tag in self.script.vocabulary.choices.get(field.kind, {}):
                return field
        return None

    def _unknown_tag(self, tag: Tag, stream: Stream, fields: Sequence[Field]) -> None:
        vocabulary = self.script.vocabulary
        tags = [*(field.tag for field in fields if field.tag), *self.foreign]
        carriers = vocabulary.carriers(tag.name, tags)
        if carriers:
            message = f"{tag.name} is allowed only beside {' or '.join(carriers)}"
            self.wrong("tag-missing", message, tag.span, f"write {carriers[0]} too")
        else:
            kinds = [field.kind for field in fields if field.kind and not field.tag]

            def suggest() -> Suggestion:
                declared = vocabulary.commands.get(self.word) or vocabulary.tests.get(self.word)
                searches = [
                    *(("tag", on, "") for on in (vocabulary.alike(declared) if declared else ())),
                    *(("choice", "", kind) for kind in kinds),
                    *(("tag", on, "") for on in tags),
                ]
                for seam, on, kind in searches:
                    suggestion = self.script.requiring(seam, tag.name, on=on, kind=kind)
                    if suggestion is not None:
                        return suggestion
                names = [name for kind in kinds for name in vocabulary.choices.get(kind, {})]
                return similar(tag.name, [*tags, *names], tag.span) or NO_SUGGESTION

            self.unknown = f"{self.word} does not take {brief(tag.name)}"
            self.script.defer("tag-unknown", self.unknown, tag.span, suggest)
            self.ok = False
        while stream.peek() is not None and not isinstance(stream.peek(), Tag):
            stream.take()  # what follows an unknown tag may belong to it: no second problem

    def _tagged(self, word: Any, field: Field, tag: Tag, stream: Stream) -> None:
        self.use.spans[field.name] = tag.span
        if field.kind and field.tag:
            name = stream.take() if isinstance(stream.peek(), String) else None
            if not isinstance(name, String):
                self.wrong("argument-type", f"{tag.name}: expected a string", tag.span, self.usage)
                if isinstance(stream.peek(), Number):
                    stream.take()  # meant as the string: no second problem
                return
            self.use.spans[field.name] = name.span
            declared = self.script.choice(field.kind, name.value, name.span)
            if declared is None:
                self.ok = False
                self.unknown = f"unknown {field.kind.replace('_', ' ')} {brief(name.value)}"
                return
            self._set(word, field.name, self._instance(declared, tag, stream))
        elif field.kind:
            declared = self.script.vocabulary.choices[field.kind][tag.name]
            self._set(word, field.name, self._instance(declared, tag, stream))
        elif field.shape is Shape.BARE:
            setattr(word, field.name, True)
        else:
            self._value(word, field, stream, tag.span, tag.name)

    def _default(self, word: Any, field: Field) -> None:
        if not field.kind:
            setattr(word, field.name, field.default)
        elif field.default is None:
            setattr(word, field.name, None)
        else:
            key = (field.kind, field.default)
            instance = self.script.defaults.get(key)
            if instance is None:
                declared = self.script.vocabulary.choices[field.kind][field.default]
                instance = self._instance(declared, None, Stream(()))
                if not grammar_of(declared.made).fields and declared.made.check is Word.check:
                    self.script.defaults[key] = instance  # the same everywhere
            self._set(word, field.name, instance)

    def _set(self, word: Any, name: str, value: Any) -> None:
        setattr(word, name, value)
        if value is not None and not is_constant(value):
            self.templates[name] = value

    def _instance(self, declared: Declared, tag: Tag | None, stream: Stream) -> Any:
        """An instance of the class of a foreign tag or a choice, with the arguments that follow the tag; None if they are
        wrong."""
        if self.script.vocabulary.conditional:
            self.capabilities |= {declared.extension.capability}
        instance = declared.made.__new__(declared.made)
        instance.name = declared.name
        instance.span = tag.span if tag else self.use.phrase.span
        instance.origin = self.script.source
        if declared.extension.settings:
            instance.settings = self.script.vocabulary.settings(declared.extension)
        grammar = grammar_of(declared.made)
        inner = Binding(self.script, declared.name, Use(self.script, self.use.phrase), {})
        inner.flaws = grammar.flaws
        for field in grammar.values:
            inner._value(instance, field, stream, instance.span, declared.name)
        if not inner.ok:
            self.ok = False
            return None
        instance.check(inner.use)
        return self.script.finished(instance, inner.templates, inner.flaws, ())

    # positional arguments

    def _positional(self, word: Any, grammar: Grammar, stream: Stream, phrase: Phrase) -> None:
        rest = stream.rest()
        tags = [argument for argument in rest if isinstance(argument, Tag)]
        for tag in tags:
            message = f"{brief(tag.name)} must come before the positional arguments"  # RFC 5228, 2.6.2
            self.wrong("tag-late", message, tag.span, self.usage)
        if tags:
            rest = [argument for argument in rest if not isinstance(argument, Tag)]
        spare = len(rest) - grammar.required
        stream = Stream(rest)
        for field in grammar.values:
            if field.default is not REQUIRED:
                if spare <= 0:
                    setattr(word, field.name, field.default)
                    continue
                spare -= 1
            if stream.peek() is None:
                if self.ok:
                    message = f"{self.word}: missing argument {field.shown} ({field.type_name})"
                    self.wrong("argument-missing", message, phrase.whole, self.usage)
                return
            self._value(word, field, stream, phrase.span, self.word)
        surplus = stream.rest()
        if surplus and self.ok:
            span = Span(surplus[0].span.start, surplus[-1].span.end)
            self.wrong("argument-surplus", f"too many arguments to {self.word}", span, self.usage)

    def _value(self, word: Any, field: Field, stream: Stream, span: Span, name: str) -> None:
        """Bind the next argument, of the tag or word `name`. If it is missing or of another type, that is a problem, at
        `span` if it is missing."""
        argument = stream.peek()
        if isinstance(argument, String) and field.shape in (Shape.STRING, Shape.STRINGS):
            items: Sequence[String] = [argument]
        elif isinstance(argument, StringList) and field.shape is Shape.STRINGS:
            items = argument.items
        elif isinstance(argument, Number) and field.shape is Shape.NUMBER:
            stream.take()
            self.use.spans[field.name] = argument.span
            setattr(word, field.name, argument.value)
            self._validate(field, argument.value, argument.span)
            return
        else:
            if argument is not None and not isinstance(argument, Tag):
                stream.take()
                span = argument.span
            self.wrong("argument-type", f"{name}: expected a {field.type_name}", span, self.usage)
            return
        stream.take()
        self.use.spans[field.name] = argument.span
        values = tuple([self._read(item) for item in items])
        constants = [Given(v, item.span) for v, item in zip(values, items, strict=True) if isinstance(v, str)]
        self.use.given[field.name] = constants
        for text in constants:
            self._validate(field, text.value, text.span)
        value = values if field.shape is Shape.STRINGS else values[0]
        setattr(word, field.name, value)
        if len(constants) != len(items):
            self.use.variable.add(field.name)
            self.templates[field.name] = value

    def _read(self, text: String) -> Any:
        """The string that `text` means, or a template, by the readers that are required."""
        if len(text.value) > limits.STRING_SIZE:
            message = f"the string has more than {limits.STRING_SIZE} characters"
            self.script.complain("string-too-long", message, text.span)
            return ""
        pieces: list[Any] = [text.value]
        for reader in self.script.vocabulary.readers:
            read = reader.made().read
            results = [read(piece, self.use, text.span) if isinstance(piece, str) else piece for piece in pieces]
            pieces = [piece for result in results for piece in (result if isinstance(result, list) else [result])]
        return "".join(pieces) if all(isinstance(piece, str) for piece in pieces) else Pieces(pieces)

    def _validate(self, field: Field, value: Any, span: Span) -> None:
        """Report what the field's rule finds wrong with a constant."""
        flaw = field.valid(value) if field.valid is not None else ""
        if flaw:
            self.script.complain(field.rule, flaw, span, field.hint)


class Stream:
    """The arguments of a phrase, taken one by one."""

    __slots__ = ("_arguments", "_at")

    def __init__(self, arguments: Sequence[Argument]) -> None:
        self._arguments = arguments
        self._at = 0

    def peek(self) -> Argument | None:
        return self._arguments[self._at] if self._at < len(self._arguments) else None

    def take(self) -> Any:
        self._at += 1
        return self._arguments[self._at - 1]

    def rest(self) -> list[Argument]:
        """All that were not taken so far."""
        rest = list(self._arguments[self._at :])
        self._at = len(self._arguments)
        return rest
