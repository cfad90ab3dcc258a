"""binding: the arguments of a phrase to the fields of its word, and of the tags and choices among them.

The grammar is what the word's class states; every argument that does not fit it is a problem with the usage as a hint.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sieveav.language.extension import Declared
from sieveav.language.grammar import REQUIRED, Field, Flaw, Grammar, Shape, grammar_of
from sieveav.language.phrases import Argument, Number, Phrase, String, Strings, Tag
from sieveav.language.problems import Span, did_you_mean
from sieveav.language.program import is_constant
from sieveav.language.use import Given, Script, Use, brief
from sieveav.language.word import Word


class Binding:
    """The arguments of one phrase being bound to the fields of its word, and of the tags and choices among them."""

    __slots__ = ("brought", "foreign", "grammar", "right", "rules", "script", "templates", "unknown", "use", "word")

    def __init__(self, script: Script, word: str, use: Use, foreign: dict[str, Declared]) -> None:
        self.script = script
        self.word = word
        self.use = use
        self.foreign = foreign
        self.grammar: Grammar | None = None
        self.templates: dict[str, Any] = {}
        self.rules: dict[str, Flaw] = {}
        self.brought: frozenset[str] = frozenset()
        """The capabilities of what is on the word, where the script has only asked for some."""
        self.right = True
        self.unknown: str = ""
        """What is not known here and only an error when it is met."""

    @property
    def usage(self) -> str:
        """The hint that shows the word's syntax, made only for whoever needs it."""
        return f"usage: {self.grammar.usage(self.word)}" if self.grammar else ""

    def wrong(self, rule: str, message: str, span: Span, hint: str = "") -> None:
        self.right = False
        self.script.complain(rule, message, span, hint)

    def bind(self, word: Any, cls: type, arguments: Sequence[Argument], phrase: Phrase) -> bool:
        """Set the fields of `word`; whether the arguments are as the grammar has them. RFC 5228, 2.6.2: tags and what
        belongs to them stand before the positional arguments."""
        grammar = self.grammar = grammar_of(cls)
        self.rules = grammar.rules
        stream = Stream(arguments)
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
                self._tagged(word, field, tag, stream)
            elif tag.name in self.foreign:
                bound = self._made(self.foreign[tag.name], tag, stream)
                if bound is not None:
                    tags.append((self.foreign[tag.name].order, bound))
            else:
                self._unknown_tag(tag, stream, grammar.tagged)
        if tags:
            word.tags = in_order(tags)
        word.written = self.use.tags
        if not all(map(is_constant, word.tags)):
            self.templates["tags"] = word.tags
        for field in grammar.tagged:
            if field.name not in given:
                self._default(word, field)
        self._positional(word, grammar, stream, phrase)
        return self.right

    def _repeated(self, field: Field | None, tag: Tag) -> str:
        if field is not None and field.kind:
            return f"{tag.name} is a second {field.kind.replace('_', ' ')}"
        return f"{tag.name} is given twice"

    def _field_of(self, tag: str, fields: Sequence[Field]) -> Field | None:
        for field in fields:
            if field.tag == tag:
                return field
            if field.kind and not field.tag and tag in self.script.vocabulary.choices.get(field.kind, {}):
                return field
        return None

    def _unknown_tag(self, tag: Tag, stream: Stream, fields: Sequence[Field]) -> None:
        vocabulary = self.script.vocabulary
        own = [field.tag for field in fields if field.tag]
        carriers = vocabulary.carriers(tag.name, [*own, *self.foreign])
        if carriers:
            message = f"{tag.name} is allowed only beside {' or '.join(carriers)}"
            self.wrong("tag-missing", message, tag.span, f"write {carriers[0]} too")
        else:
            kinds = [field.kind for field in fields if field.kind and not field.tag]
            declared = vocabulary.commands.get(self.word) or vocabulary.tests.get(self.word)
            hint = ""
            for word in vocabulary.alike(declared) if declared else ():
                hint = hint or vocabulary.requiring("tag", tag.name, on=word)
            for kind in kinds:
                hint = hint or vocabulary.requiring("choice", tag.name, kind=kind)
            for carrier in (*own, *self.foreign):
                hint = hint or vocabulary.requiring("tag", tag.name, on=carrier)
            known = [*own, *self.foreign, *(name for kind in kinds for name in vocabulary.choices.get(kind, {}))]
            self.unknown = f"{self.word} takes no {brief(tag.name)}"
            self.script.defer("tag-unknown", self.unknown, tag.span, hint or did_you_mean(tag.name, known))
            self.right = False
        while stream.peek() is not None and not isinstance(stream.peek(), Tag):
            stream.take()  # what follows an unknown tag may belong to it: no second complaint

    def _tagged(self, word: Any, field: Field, tag: Tag, stream: Stream) -> None:
        self.use.spans[field.name] = tag.span
        if field.kind and field.tag:
            name = stream.take() if isinstance(stream.peek(), String) else None
            if not isinstance(name, String):
                self.wrong("argument-type", f"{tag.name} is followed by a string", tag.span, self.usage)
                if isinstance(stream.peek(), Number):
                    stream.take()  # what was meant as the string: no second complaint
                return
            self.use.spans[field.name] = name.span
            chosen = self.script.choice(field.kind, name.value, name.span)
            if chosen is None:
                self.right = False
                self.unknown = f"unknown {field.kind.replace('_', ' ')} {brief(name.value)}"
                return
            self._set(word, field.name, self._made(chosen, tag, stream))
        elif field.kind:
            declared = self.script.vocabulary.choices[field.kind][tag.name]
            self._set(word, field.name, self._made(declared, tag, stream))
        elif field.shape is Shape.BARE:
            setattr(word, field.name, True)
        else:
            self._value(word, field, stream, tag.span, tag.name, "is followed by a")

    def _default(self, word: Any, field: Field) -> None:
        if not field.kind:
            setattr(word, field.name, field.default)
        elif field.default is None:
            setattr(word, field.name, None)
        else:
            key = (field.kind, field.default)
            chosen = self.script.defaults.get(key)
            if chosen is None:
                declared = self.script.vocabulary.choices[field.kind][field.default]
                chosen = self._made(declared, None, Stream(()))
                if not grammar_of(declared.made).fields and declared.made.check is Word.check:
                    self.script.defaults[key] = chosen  # the same everywhere
            self._set(word, field.name, chosen)

    def _set(self, word: Any, name: str, value: Any) -> None:
        setattr(word, name, value)
        if value is not None and not is_constant(value):
            self.templates[name] = value

    def _made(self, declared: Declared, tag: Tag | None, stream: Stream) -> Any:
        """An instance of a foreign tag's or a choice's class, with what follows the tag."""
        if self.script.vocabulary.conditional:
            self.brought |= {declared.extension.capability}
        made = declared.made.__new__(declared.made)
        made.name = declared.name
        made.span = tag.span if tag else self.use.phrase.span
        made.origin = self.script.source
        if declared.extension.settings:
            made.settings = self.script.vocabulary.settings(declared.extension)
        grammar = grammar_of(declared.made)
        use = Use(self.script, self.use.phrase)
        inner = Binding(self.script, declared.name, use, {})
        inner.rules = grammar.rules
        for field in grammar.values:
            inner._value(made, field, stream, made.span, declared.name, "is followed by a")
        if not inner.right:
            self.right = False
            return None
        made.check(use)
        return self.script.finished(made, inner.templates, inner.rules, ())

    def _positional(self, word: Any, grammar: Grammar, stream: Stream, phrase: Phrase) -> None:
        rest = stream.rest()
        tags = [argument for argument in rest if isinstance(argument, Tag)]
        for argument in tags:
            message = f"{brief(argument.name)} must stand before the other arguments"
            self.wrong("tag-late", message, argument.span, self.usage)
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
                if self.right:
                    message = f"{self.word} wants a {field.shape}: {field.shown}"
                    self.wrong("argument-missing", message, phrase.whole, self.usage)
                return
            self._value(word, field, stream, phrase.span, self.word, "wants a", " here")
        surplus = stream.rest()
        if surplus and self.right:
            span = Span(surplus[0].span.start, surplus[-1].span.end)
            self.wrong("argument-surplus", f"{self.word} takes no more arguments", span, self.usage)

    def _value(
        self, word: Any, field: Field, stream: Stream, span: Span, name: str, wants: str, where: str = ""
    ) -> None:
        """Bind the next argument; what is no such value is a problem: `name` `wants` it `where`."""
        argument = stream.peek()
        if isinstance(argument, String) and field.shape in (Shape.STRING, Shape.STRINGS):
            items = [argument]
        elif isinstance(argument, Strings) and field.shape is Shape.STRINGS:
            items = list(argument.items)
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
            self.wrong("argument-type", f"{name} {wants} {field.shape}{where}", span, self.usage)
            return
        stream.take()
        self.use.spans[field.name] = argument.span
        self.script.cost += len(items)
        values = tuple(self.script.read(item, self.use) for item in items)
        known = [Given(v, item.span) for v, item in zip(values, items, strict=True) if isinstance(v, str)]
        self.use.given[field.name] = known
        for text in known:
            self._validate(field, text.value, text.span)
        value = values if field.shape is Shape.STRINGS else values[0]
        setattr(word, field.name, value)
        if len(known) != len(items):
            self.use.unknown.add(field.name)
            self.templates[field.name] = value

    def _validate(self, field: Field, value: Any, span: Span) -> None:
        """Report what the field's rule finds wrong with a constant."""
        flaw = field.valid(value) if field.valid is not None else ""
        if flaw:
            self.script.complain(f"{field.shown}-invalid", flaw, span, field.hint)


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


def in_order(tags: list[tuple[int, Any]]) -> tuple[Any, ...]:
    return tuple(tag for _, tag in sorted(tags, key=itemgetter(0)))
