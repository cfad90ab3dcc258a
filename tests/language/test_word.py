"""The form of a word: which attributes are arguments, errors for mistakes of authors, and the hooks that the checker calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from support.accepting import Accepted
from support.sieve import Install, Sieve

from sieveav.extending import (
    Acting,
    Action,
    Choice,
    Comparator,
    Extension,
    ForeignTag,
    Given,
    Matching,
    MatchType,
    Namespace,
    Place,
    Run,
    Store,
    Strings,
    Use,
    Word,
    choice,
    derived,
    optional,
    tag,
    value,
)
from sieveav.language.grammar import Shape, grammar_of

# ---- mistakes of an author


def test_a_plain_value_with_an_annotation() -> None:
    message = r"Wrong\.days: an argument with a default is written = optional\(\.\.\.\) or = tag\(\.\.\.\), any other"
    with pytest.raises(TypeError, match=message):

        class Wrong(Word):
            days: int = 7


@pytest.mark.parametrize(
    "annotation", ["float", "bytes", "list[str]", "str | None", "Any", "Word", "dict[str, str]", "Given"]
)
@pytest.mark.parametrize("spec", [None, tag(":wrong", 1), optional(1), value()])
def test_an_attribute_of_no_type_that_a_script_can_write(annotation: str, spec: Any) -> None:
    more = {} if spec is None else {"wrong": spec}
    wrong = type("Wrong", (Word,), {"__annotations__": {"wrong": annotation}, "holds": lambda *_: True, **more})
    message = r"Wrong\.wrong: the type of an argument is one of str, .*; write = derived\(\) for another attribute"
    with pytest.raises(TypeError, match=message):
        Extension("vnd.wrong", "a test").test()(wrong)
    with pytest.raises(TypeError, match=message):
        grammar_of(wrong)


def test_a_bare_bool_is_a_tag() -> None:
    class Wrong(Word):
        loud: bool

    with pytest.raises(TypeError, match=r"Wrong\.loud: the type of an argument"):
        grammar_of(Wrong)


class Empty(Word):
    """A word without a meaning."""


@pytest.mark.parametrize("seam", ["test", "action", "command"])
def test_a_word_without_its_method(seam: str) -> None:
    method = "holds" if seam == "test" else "run"
    with pytest.raises(TypeError, match=f"vnd.wrong: the {seam} empty has no method {method}"):
        getattr(Extension("vnd.wrong", "a test"), seam)()(Empty)


def declarations(ext: Extension) -> list[tuple[str, Callable[[Any], Any], str]]:
    """Seam, its decorator, the class to build on."""
    return [
        ("test", ext.test("wrong"), "Word"),
        ("action", ext.action("wrong"), "Word"),
        ("command", ext.command("wrong"), "Word"),
        ("family", ext.family("wrong", of="engines"), "Word"),
        ("tag", ext.tag("wrong", on=["keep"]), "ForeignTag"),
        ("choice", ext.choice("kind", "wrong"), "Choice"),
        ("choice", ext.match_type("wrong"), "Choice"),
        ("choice", ext.comparator("wrong"), "Choice"),
        ("choice", ext.address_part("wrong"), "Choice"),
    ]


@pytest.mark.parametrize("number", range(len(declarations(Extension("", "")))))
def test_a_class_that_builds_on_nothing(number: int) -> None:
    class Wrong:
        def run(self, run: Run) -> None: ...

        def holds(self, run: Run) -> None: ...

        def amend(self, thing: Any) -> None: ...

    seam, declare, base = declarations(Extension("vnd.wrong", "a test"))[number]
    with pytest.raises(TypeError, match=f"vnd.wrong: the {seam} wrong must be a subclass of {base}"):
        declare(Wrong)


def test_a_reader_and_a_namespace_without_their_method() -> None:
    class Wrong:
        pass

    ext = Extension("vnd.wrong", "a test")
    with pytest.raises(TypeError, match="the reader Wrong has no method read"):
        ext.reader(order=1)(Wrong)
    with pytest.raises(TypeError, match="the namespace wrong has no method value"):
        ext.namespace("wrong")(Wrong)
    assert ext.declared == []


# ---- which attributes are arguments


class Every(Word):
    """All that a class can say of its attributes."""

    count: int = derived(3)
    later: Any = derived()
    limit: ClassVar[int] = 5
    plain = "no annotation"
    size: int = tag(":SIZE", 1, hint="octets")
    loud: bool = tag(":loud")
    kind: Any = choice("size_relation", None)
    rest: Strings = optional(("x",))
    name: str


def test_arguments_and_other_attributes() -> None:
    assert [(f.name, f.shape, f.tag, f.kind, f.positional) for f in grammar_of(Every).fields] == [
        ("size", Shape.NUMBER, ":size", "", False),
        ("loud", Shape.BARE, ":loud", "", False),
        ("kind", Shape.STRING, "", "size_relation", False),
        ("rest", Shape.STRINGS, "", "", True),
        ("name", Shape.STRING, "", "", True),
    ]
    assert [f.default for f in grammar_of(Every).fields][:4] == [1, False, None, ("x",)]
    word = Every()
    assert (word.count, word.limit, word.plain) == (3, 5, "no annotation")
    for name in ("later", "size", "name", "place"):  # there only once it has a value
        assert not hasattr(word, name)
    assert (word.tags, word.written, dict(word.settings), word.marks) == ((), frozenset(), {}, frozenset())


def test_the_arguments_of_bases_come_first() -> None:
    class Base(Word):
        one: str
        two: str

    class Between(Base):
        three: int = tag(":three", 3)

    class Derived(Between):
        one: Strings  # type: ignore[assignment]
        two: Any = derived("given")

    assert [(f.name, f.shape) for f in grammar_of(Base).fields] == [("one", Shape.STRING), ("two", Shape.STRING)]
    assert [(f.name, f.shape) for f in grammar_of(Derived).fields] == [("three", Shape.NUMBER), ("one", Shape.STRINGS)]
    assert Derived().two == "given"


def test_the_base_classes_have_no_arguments() -> None:
    for cls in (Word, ForeignTag, Choice, Acting, MatchType, Comparator):
        assert grammar_of(cls).fields == ()
    assert [field.name for field in grammar_of(Matching).fields] == ["match", "comparator"]


# ---- what the checker sets


def test_what_a_word_knows_of_its_place(install: Install) -> None:
    ext = Extension("vnd.place", "a test")

    @ext.command("look")
    class Look(Word):
        text: str = optional("")

        def run(self, run: Run) -> None: ...

    @ext.tag(":far", on=["look"])
    class Far(ForeignTag):
        pass

    @ext.tag(":near", on=["look"], order=-1)
    class Near(ForeignTag):
        pass

    program = install(ext).program('require "vnd.place";\n  look :FAR :near "x";')
    word: Any
    (word,) = program.block.steps
    assert isinstance(word.place, Place)
    assert (str(word.place), word.place.column) == ("test.sieve:2", 3)
    assert program.source.text[word.span.start : word.span.end] == "look"
    assert word.source_text == 'look :FAR :near "x"'
    assert word.written == {":far", ":near"}
    assert [(type(each), each.name, each.place.column) for each in word.tags] == [(Near, ":near", 13), (Far, ":far", 8)]


# ---- valid: one rule, while checking and while running


def colour_flaw(text: str) -> str:
    return "" if text in ("red", "blue") else f"{text or 'nothing'} is no colour"


def far_flaw(number: int) -> str:
    return "that is too far" if number > 9 else ""


@pytest.fixture
def painting(install: Install) -> Sieve:
    """paint and :twice, with rules for each kind of argument."""
    ext = Extension("vnd.paint", "a test")

    @ext.action("paint")
    class Paint(Acting):
        by: str = tag(":by", "", valid=colour_flaw, hint="write red")
        far: int = tag(":far", 0, valid=far_flaw)
        more_colours: Strings = optional((), valid=colour_flaw)
        main_colour: str = value(valid=colour_flaw, hint="write blue")

        def make_action(self) -> Action:
            return Action("paint", (Store(f"{self.main_colour}{self.by}{''.join(self.more_colours)}"),))

    @ext.tag(":twice", on=["paint", "keep"])
    class Twice(ForeignTag):
        colour: str = value(valid=colour_flaw, hint="red, twice")

        def amend(self, action: Action) -> Action:
            return replace(action, details={"twice": self.colour})

    @ext.choice("size_relation", ":about")
    class About(Choice):
        colour: str = value(valid=colour_flaw)

        def compare(self, size: int, limit: int) -> bool:
            return size == limit or self.colour == "red"

    return install(ext, "variables")


PAINT = 'require ["vnd.paint", "variables"]; '


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        ('paint "red";', []),
        ('paint "green";', [("main-colour-invalid", 1, "green is no colour", "write blue")]),
        ('paint "";', [("main-colour-invalid", 1, "nothing is no colour", "write blue")]),
        ('paint :by "x" "red";', [("by-invalid", 1, "x is no colour", "write red")]),
        ('paint :far 10 "red";', [("far-invalid", 1, "that is too far", "")]),
        (
            'paint ["red", "x", "y"] "blue";',
            [("more-colours-invalid", 1, "x is no colour", ""), ("more-colours-invalid", 1, "y is no colour", "")],
        ),
        ('paint ["${v}", "x"] "blue";', [("more-colours-invalid", 1, "x is no colour", "")]),
        ('paint :twice "x" "red";', [("colour-invalid", 1, "x is no colour", "red, twice")]),
        ('keep :twice "x";', [("colour-invalid", 1, "x is no colour", "red, twice")]),
        ('if size :about "x" 3 { }', [("colour-invalid", 1, "x is no colour", "")]),
        ('paint :by "${v}" :twice "${v}" ["${v}"] "${v}";', []),  # not known yet
    ],
)
def test_rules_while_checking(painting: Sieve, line: str, problems: list[tuple[str, int, str, str]]) -> None:
    checked = painting.check(PAINT + line)
    assert [
        (p.rule, checked.source.position(p.span.start).line, p.message, p.hint) for p in checked.problems
    ] == problems
    assert (checked.program is None) is bool(problems)


@pytest.mark.parametrize(
    ("line", "actions"),
    [
        ('set "v" "red"; paint "${v}";', ["paint red"]),
        ('set "v" "green"; paint "${v}";', ["implicit keep", "fault: green is no colour"]),
        ('paint "${v}";', ["implicit keep", "fault: nothing is no colour"]),
        ('paint :by "${v}" "red";', ["implicit keep", "fault: nothing is no colour"]),
        ('set "v" "red"; paint ["blue", "${v}", "x${v}"] "red";', ["implicit keep", "fault: xred is no colour"]),
        ('set "v" "x"; keep :twice "${v}";', ["implicit keep", "fault: x is no colour"]),
        ('set "v" "x"; if size :about "${v}" 3 { discard; }', ["implicit keep", "fault: x is no colour"]),
        ('set "v" "red"; if size :about "${v}" 3 { discard; }', ["discard"]),
        ('set "v" "red"; keep :twice "${v}";', ["keep"]),
        ('if false { paint "${v}"; }', ["implicit keep"]),
    ],
)
def test_rules_while_running(painting: Sieve, line: str, actions: list[str]) -> None:
    assert painting.actions(PAINT + line) == actions


def test_a_fault_by_a_rule_is_at_the_word(painting: Sieve) -> None:
    outcome = painting.run(PAINT + '\n\n  if true {\n paint "${v}"; }')
    assert outcome.fault is not None
    assert str(outcome.fault.place) == "test.sieve:4"


# ---- like, and tags on tags


@pytest.fixture
def tagged(install: Install) -> Sieve:
    """pipe is like fileinto, tee like pipe; :deep is allowed beside :wide, :deeper beside :deep."""
    ext = Extension("vnd.like", "a test")

    @ext.action("pipe", like=["fileinto"])
    class Pipe(Acting):
        name: str

        def make_action(self) -> Action:
            return Action("pipe", (Store(self.name),))

    @ext.action("tee", like=["pipe"])
    class Tee(Pipe):
        def make_action(self) -> Action:
            return Action("tee", (Store(self.name),))

    @ext.test("headline", like=["header"])
    class Headline(Matching):
        names: Strings
        keys: Strings

        def subject_for(self, fold: Any) -> Any:
            from sieveav.extending import Fields, HeaderValues

            return HeaderValues(Fields(self.names), fold)

    def noting(name: str, *on: str, order: int = 0) -> None:
        @ext.tag(name, on=on, order=order)
        class Noting(ForeignTag):
            def amend(self, action: Action) -> Action:
                return replace(action, details={**action.details, self.name: True})

    noting(":wide", "pipe")
    noting(":deep", ":wide")
    noting(":deeper", ":deep", ":bottom")
    noting(":own", ":mark")

    @ext.action("mark")
    class Mark(Acting):
        mark: bool = tag(":mark")

        def make_action(self) -> Action:
            return Action("mark")

    return install(ext, "copy", "imap4flags", "fileinto", "index", "mailbox")


LIKE = 'require ["vnd.like", "copy", "imap4flags", "fileinto", "index", "mailbox"]; '


def test_a_word_like_another_takes_its_tags(tagged: Sieve) -> None:
    for word in ("pipe", "tee"):
        outcome = tagged.run(f'{LIKE} {word} :copy :create :flags "a" :wide "x";')
        action, keep = outcome.actions
        assert (action.name, action.effects, action.details) == (
            word,
            (Store("x", ("a",), create=True),),
            {":wide": True},
        )
        assert keep.implicit
    assert tagged.holds('headline :index 2 "received" "b"', "Received: a\nReceived: b\n\n", require=LIKE)


def test_likeness_goes_one_way(tagged: Sieve) -> None:
    assert tagged.rules(f'{LIKE} fileinto :wide "x";') == ["tag-unknown"]
    assert tagged.rules(f'{LIKE} redirect :create "x@y.example";') == ["tag-unknown"]


def test_what_amends_a_word_amends_those_like_it(tagged: Sieve) -> None:
    for word in ("fileinto", "pipe", "tee"):
        outcome = tagged.run(f'{LIKE} setflag "b"; {word} "x"; {word} :flags "c" "y";')
        assert [action.effects for action in outcome.actions] == [(Store("x", ("b",)),), (Store("y", ("c",)),)]


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ('pipe :wide :deep "x";', []),
        ('pipe :deep :wide "x";', []),
        ('tee :deeper :deep :wide "x";', []),
        ("mark :mark :own;", []),
        ('pipe :deep "x";', ["tag-missing"]),
        ('pipe :wide :deeper "x";', ["tag-missing"]),
        ("mark :own;", ["tag-missing"]),
        ("mark :nothing;", ["tag-unknown"]),
        ('fileinto :wide :deep "x";', ["tag-unknown"]),  # :wide; :deep follows from it
    ],
)
def test_a_tag_on_a_tag(tagged: Sieve, accepted: Accepted, line: str, rules: list[str]) -> None:
    checked = tagged.check(LIKE + line)
    assert [p.rule for p in checked.problems] == rules
    accepted(f"{p.message} | {p.hint}" for p in checked.problems)


def test_a_tag_on_a_tag_amends(tagged: Sieve) -> None:
    (action,) = tagged.run(f'{LIKE} pipe :deeper :deep :wide "x";').actions
    assert set(action.details) == {":wide", ":deep", ":deeper"}


# ---- acting


def test_an_action_is_made_once_for_each_place(install: Install) -> None:
    ext = Extension("vnd.once", "a test")
    made: list[str] = []

    @ext.action("count")
    class Count(Acting):
        name: str

        def make_action(self) -> Action:
            made.append(self.name)
            return Action("count", details={"name": self.name})

    sieve = install(ext)
    program = sieve.program('require "vnd.once"; count "a"; count "b"; if false { count "c"; }')
    assert made == ["a", "b", "c"]
    steps: list[Any] = list(program.block.steps)
    first, second, _ = steps
    assert str(first.action.place) == "test.sieve:1"
    assert first.action.place != second.action.place


def test_an_action_that_depends_on_the_message(install: Install) -> None:
    """`run` in the place of `make_action`."""
    ext = Extension("vnd.answer", "a test")

    @ext.action("answer", like=["fileinto"])
    class Answer(Acting):
        def run(self, run: Run) -> None:
            run.act(self.amended(Action("answer", (Store(run.envelope.sender),))), self.written)

    sieve = install(ext, "copy", "imap4flags")
    script = 'require ["vnd.answer", "copy", "imap4flags"]; setflag "a";'
    action, keep = sieve.run(f"{script} answer :copy;").actions
    assert action.place is not None
    assert (action.effects, action.place.column) == ((Store("bob@example.org", ("a",)),), len(script) + 2)
    assert keep.implicit
    (action,) = sieve.run(f'{script} answer :flags "b";').actions
    assert action.effects == (Store("bob@example.org", ("b",)),)


# ---- check


def test_check_sees_the_strings_where_they_stand(install: Install) -> None:
    ext = Extension("vnd.seen", "a test")
    seen: list[Any] = []

    @ext.command("see")
    class See(Word):
        quiet: bool = tag(":quiet")
        texts: Strings = optional(())
        name: str

        def check(self, use: Use) -> None:
            seen.append((use.has("texts"), use.has("quiet"), use.strings("texts"), use.strings("name")))

        def run(self, run: Run) -> None: ...

    @ext.namespace("box")
    class Box(Namespace):
        def value(self, run: Run, rest: str) -> str:  # noqa: ARG002
            return rest

    sieve = install(ext, "variables")
    script = 'require ["vnd.seen", "variables"]; see ["a", "${x}", "b"] "n"; see :quiet "${box.m}";'
    checked = sieve.check(script)
    assert checked.problems == ()
    (first, second) = seen
    assert first[:2] == (True, False)
    assert [(each.value, script[each.span.start : each.span.end]) for each in first[2]] == [("a", '"a"'), ("b", '"b"')]
    assert all(isinstance(each, Given) for each in first[2] + first[3])
    assert second == (False, True, [], [])
