"""What a script knows: collisions, obsolete extensions, extensions that a script only asks for, what it mentions, settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.accepting import Accepted
from support.sieve import Install, Sieve

from sieveav.extending import (
    INTEGER,
    Acting,
    Action,
    Choice,
    Comparator,
    Extension,
    ForeignTag,
    MatchType,
    Namespace,
    Option,
    Run,
    Store,
    Strings,
    Use,
    Word,
    derived,
)

# ---- two that bring the same


class Chime(Word):
    """chime: nothing."""

    def run(self, run: Run) -> None: ...

    def holds(self, run: Run) -> bool:  # noqa: ARG002
        return True


def brings(capability: str, **made: Any) -> Extension:
    """An extension with the words and tags named, each with its own class unless one is named."""
    ext = Extension(capability, "a test")
    for seam, cls in made.items():
        kind = {"tag": ForeignTag, "choice": Choice, "match_type": MatchType, "comparator": Comparator}.get(seam, Chime)
        used = cls or type("Own", (kind,), {})
        if seam == "tag":
            ext.tag(":chime", on=["keep", ":chime"])(used)
        elif seam == "choice":
            ext.choice("size_relation", ":chime")(used)
        elif seam == "namespace":
            ext.namespace("chime")(type("Own", (Namespace,), {}))
        elif seam == "family":
            ext.family("{}_chime", of="engines")(used)
        else:
            getattr(ext, seam)("chime")(used)
    return ext


@pytest.mark.parametrize(
    ("seam", "what"),
    [
        ("action", ["action chime"]),
        ("command", ["command chime"]),
        ("test", ["test chime"]),
        ("tag", ["tag :chime of keep", "tag :chime of :chime"]),
        ("choice", ["size relation :chime"]),
        ("match_type", ["match type chime"]),
        ("comparator", ["comparator chime"]),
        ("namespace", ["namespace chime"]),
    ],
)
def test_two_required_extensions_that_bring_the_same(install: Install, seam: str, what: list[str]) -> None:
    sieve = install(brings("vnd.one", **{seam: None}), brings("vnd.two", **{seam: None}))
    both = 'require ["vnd.one",\n"vnd.two"];'
    checked = sieve.check(both)
    assert [(p.rule, p.message, p.hint) for p in checked.problems] == [
        ("word-ambiguous", f'"vnd.one" and "vnd.two" both define the {each}', "require only one of them")
        for each in what
    ]
    assert {checked.source.position(p.span.start).line for p in checked.problems} == {2}
    assert sieve.rules('require "vnd.one";') == []
    assert sieve.rules('require ["vnd.two", "vnd.two"]; require "vnd.two";') == []


def test_one_class_may_come_from_several(install: Install) -> None:
    assert install(brings("vnd.one", command=Chime), brings("vnd.two", command=Chime)).rules(
        'require ["vnd.one", "vnd.two"]; chime;'
    ) == ([])


def test_a_command_and_a_test_of_one_name_are_apart(install: Install) -> None:
    sieve = install(brings("vnd.one", action=None), brings("vnd.two", test=None))
    assert sieve.rules('require ["vnd.one", "vnd.two"]; if chime { chime; }') == []


def test_an_action_that_the_base_has(install: Install) -> None:
    ext = Extension("vnd.keep", "a test")
    ext.action("keep")(Chime)
    assert install(ext).problems('require "vnd.keep";') == [
        'word-ambiguous 1:9 the base language and "vnd.keep" both define the action keep'
    ]


def test_in_a_dialect_the_first_has_it(install: Install) -> None:
    sieve = install(brings("vnd.one", action=Chime), brings("vnd.two", action=None))
    (word,) = sieve.program("chime;", dialect="momentum").block.steps
    assert type(word) is Chime
    (word,) = sieve.program('require "vnd.two"; chime;', dialect="momentum").block.steps
    assert type(word) is not Chime  # what is required comes before what is just there


def test_an_obsolete_extension(install: Install) -> None:
    old = Extension("vnd.old", "a test", successor="vnd.new")
    sieve = install(old, Extension("vnd.new", "a test"))
    (problem,) = sieve.check('require "vnd.old";').problems
    assert (problem.rule, problem.message, problem.hint, problem.severity) == (
        "require-obsolete",
        'extension "vnd.old" is obsolete',
        'use "vnd.new" instead',
        "advice",
    )
    assert sieve.rules('require "vnd.new";') == []


# ---- what is only asked for, RFC 5463


@pytest.fixture
def asking(install: Install) -> Sieve:
    """`there` asks for extensions, as ihave does: vnd.file with `file` and :softly, vnd.great that brings vnd.small."""
    ext = Extension("vnd.ask", "a test", defers=True)

    @ext.test("there")
    class There(Word):
        capabilities: Strings
        available: bool = derived(False)

        def check(self, use: Use) -> None:
            self.available = use.learn(self.capabilities)

        def holds(self, run: Run) -> bool:
            if self.available:
                run.enable(self.capabilities)
            return self.available

    file = Extension("vnd.file", "a test")

    @file.action("file")
    class File(Acting):
        name: str

        def make_action(self) -> Action:
            return Action("file", (Store(self.name),))

    @file.tag(":softly", on=["keep", "file"])
    class Softly(ForeignTag):
        def amend(self, action: Action) -> Action:
            return replace(action, details={"softly": True})

    @file.test("filed")
    class Filed(Word):
        def holds(self, run: Run) -> bool:
            return bool(run.actions)

    @file.choice("size_relation", ":about")
    class About(Choice):
        @staticmethod
        def compare(size: int, limit: int) -> bool:
            return abs(size - limit) < 10

    small = Extension("vnd.small", "a test")

    @small.command("small")
    class Small(Word):
        def run(self, run: Run) -> None:
            run.act(Action("small"))

    great = Extension("vnd.great", "a test", implies=["vnd.small"])

    @great.command("great")
    class Great(Word):
        def run(self, run: Run) -> None:
            run.act(Action("great"))

    reading = Extension("vnd.reading", "a test")

    @reading.reader(order=1)
    class Reader:
        def read(self, text: str, use: Use, span: Any) -> str:  # noqa: ARG002
            return text.replace("%", "!")

    return install(
        ext,
        file,
        small,
        great,
        reading,
        Extension("vnd.halved", "a test", implies=["vnd.nothing"]),
        Extension("vnd.readers", "a test", implies=["vnd.reading"]),
        "variables",
    )


ASK = 'require "vnd.ask"; '
MET = "fault: extension vnd.file is used before a test has enabled it"


@pytest.mark.parametrize(
    ("script", "actions"),
    [
        ('if there "vnd.file" { file "x"; }', ["file x"]),
        ('if there "vnd.file" { } file "x";', ["file x"]),
        ('if not there "vnd.file" { stop; } file "x";', ["file x"]),
        ('if allof (there "vnd.file", not filed) { file "x"; }', ["file x"]),
        ('if there "vnd.file" { file :softly "x"; keep :softly; }', ["file x", "keep"]),
        ('if there ["vnd.small", "vnd.file"] { file "x"; small; }', ["file x", "small"]),
        ('if there "vnd.file" { if size :about 70 { file "x"; } }', ["file x"]),
        # what is learnt is only there once the test has held
        ('if false { if there "vnd.file" { } } file "x";', ["implicit keep", MET]),
        ('if anyof (true, there "vnd.file") { file "x"; }', ["implicit keep", MET]),
        ('if anyof (true, there "vnd.file") { keep :softly; }', ["implicit keep", MET]),
        ('if anyof (true, there "vnd.file") { if filed { } }', ["implicit keep", MET]),
        ('if anyof (true, there "vnd.file") { if not filed { } }', ["implicit keep", MET]),
        ('if anyof (true, there "vnd.file") { if size :about 70 { } }', ["implicit keep", MET]),
        ('if anyof (true, there "vnd.file") { if true { keep; } }', ["keep"]),
        # all or none
        ('if there ["vnd.file", "vnd.nothing"] { file "x"; }', ["implicit keep"]),
        ('if not there ["vnd.file", "vnd.nothing"] { file "x"; }', ["implicit keep", "fault: unknown command file"]),
        ('if there "vnd.halved" { discard; }', ["implicit keep"]),
        ('if there ["vnd.file", "vnd.halved"] { } file "x";', ["implicit keep", "fault: unknown command file"]),
        # what is implied is there too
        ('if there "vnd.great" { great; small; }', ["great", "small"]),
        ('if there ["vnd.great", "vnd.small"] { great; small; }', ["great", "small"]),
        ('if there ["vnd.small", "vnd.great"] { great; small; }', ["great", "small"]),
        ('if there "vnd.small" { if there "vnd.great" { great; } small; }', ["great", "small"]),
        ('if allof (false, there "vnd.great") { } elsif there "vnd.small" { small; }', ["small"]),
        (
            'if anyof (true, there "vnd.great") { small; }',
            ["implicit keep", "fault: extension vnd.small is used before a test has enabled it"],
        ),
        # nothing that changes how scripts are read
        ('if there "vnd.reading" { discard; } redirect "a@b";', ["redirect a@b"]),
        ('if there ["vnd.file", "vnd.readers"] { discard; }', ["implicit keep"]),
        ('if there "vnd.ask" { discard; }', ["discard"]),  # what is required is there anyway
    ],
)
def test_extensions_that_are_asked_for(asking: Sieve, script: str, actions: list[str]) -> None:
    assert asking.actions(ASK + script) == actions


def test_what_is_required_needs_no_asking(asking: Sieve) -> None:
    require = 'require ["vnd.ask", "vnd.file"];'
    assert asking.actions(f'{require} if anyof (true, there "vnd.file") {{ file "x"; }}') == ["file x"]
    require = 'require ["vnd.ask", "variables"];'
    assert asking.actions(f'{require} if there "variables" {{ discard; }}') == ["discard"]


def test_learning_lasts_to_the_end_of_the_script(asking: Sieve) -> None:
    checked = asking.check(f'{ASK} file "a"; if there "vnd.file" {{ }} file "b"; file;')
    assert [(p.rule, p.span.start) for p in checked.problems] == [("word-unknown", 20), ("argument-missing", 64)]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("kep;", "word-unknown"),
        ('xyzzy :a "b" { kep; }', "word-unknown"),
        ("true;", "word-unknown"),
        ('if heade "a" "b" { }', "word-unknown"),
        ('if not anyof (false, heade "a") { }', "word-unknown"),
        ('redirect :copy "a@example.com";', "tag-unknown"),
        ('if header :count "eq" "a" "1" { }', "tag-unknown"),
        ('if header :comparator "zzz" "a" "b" { }', "comparator-unknown"),
    ],
)
def test_something_unknown_is_a_run_time_error(asking: Sieve, accepted: Accepted, line: str, rule: str) -> None:
    checked = asking.check(ASK + line)
    assert checked.problems[0].rule == rule
    assert {problem.severity for problem in checked.problems} == {"warning"}
    outcome = asking.run(f"{ASK}\n{line}")
    assert outcome.fault is not None
    accepted([checked.problems[0].message, outcome.fault.message])
    assert str(outcome.fault.place) == "test.sieve:2"
    assert [action.implicit for action in outcome.actions] == [True]
    assert asking.actions(f"{ASK} discard; if false {{ {line} }}") == ["discard"]
    assert asking.run(f"{ASK}\n{line}", tracing=True).fault == outcome.fault


def test_all_else_is_an_error_as_ever(asking: Sieve) -> None:
    assert asking.check(ASK + "keep 3;").program is None
    assert asking.check('require ["vnd.ask", "vnd.nothing"];').program is None
    assert asking.check(ASK + 'redirect "nobody";').program is None
    assert asking.check("kep;").program is None


# ---- what a script names outside of itself


def test_mentions(install: Install) -> None:
    ext = Extension("vnd.include", "a test")

    @ext.command("mention")
    class Mentioning(Word):
        names: Strings

        def check(self, use: Use) -> None:
            for name in use.strings("names"):
                use.mentions("script", name, "global" if use.phrase.block is None else "personal")

        def run(self, run: Run) -> None: ...

    sieve = install(ext, "variables")
    script = 'require ["vnd.include", "variables"];\nmention ["a", "x${y}"];\nif false { mention "b"; }'
    mentions = [(m.kind, m.name, m.location, str(m.place), m.place.column) for m in sieve.program(script).mentions]
    assert mentions == [("script", "a", "global", "test.sieve:2", 10), ("script", "b", "global", "test.sieve:3", 20)]
    assert sieve.program("keep;").mentions == ()


# ---- settings


def test_settings_are_the_hosts(install: Install) -> None:
    ext, other = Extension("vnd.set", "a test"), Extension("vnd.other", "a test")
    ext.setting(Option("size", INTEGER, 3, "how large"))
    ext.setting(Option("depth", INTEGER, 4, "how deep"))

    @ext.tag(":sized", on=["keep"])
    class Sized(ForeignTag):
        def amend(self, action: Action) -> Action:
            return action

    @ext.action("measure")
    class Measure(Word):
        def run(self, run: Run) -> None:
            run.act(Action("measure", details=dict(self.settings)))

    @other.action("ask")
    class Asks(Word):
        def check(self, use: Use) -> None:
            with pytest.raises(KeyError):
                use.setting("vnd.none", "size")
            assert (use.setting("vnd.set", "size"), use.setting("vnd.set", "depth")) == (7, 4)

        def run(self, run: Run) -> None:
            run.act(Action("ask", details={"none": dict(self.settings)}))

    sieve = install(ext, other)
    settings = {"vnd.set": {"size": 7}, "vnd.other": {"size": 9}}
    program = sieve.program('require ["vnd.set", "vnd.other"]; keep :sized; measure; ask;', settings=settings)
    steps: list[Any] = list(program.block.steps)
    keep, measure, _ = steps
    assert keep.tags[0].settings is measure.settings  # one view for every word of the script
    assert (len(measure.settings), list(measure.settings)) == (2, ["size", "depth"])
    outcome = sieve.run('require ["vnd.set", "vnd.other"]; measure; ask;', settings=settings)
    assert [action.details for action in outcome.actions] == [{"size": 7, "depth": 4}, {"none": {}}]
    del settings["vnd.set"]
    assert measure.settings["size"] == 3
    settings["vnd.set"] = {"size": 8}
    assert measure.settings["size"] == 8


def test_a_collision_of_what_a_test_has_learnt(install: Install) -> None:
    one, other, asks = Extension("vnd.one", "a test"), Extension("vnd.other", "a test"), Extension("vnd.asks", "a test")

    @one.command("twice")
    class One(Word):
        def run(self, run: Any) -> None: ...

    @other.command("twice")
    class Other(Word):
        def run(self, run: Any) -> None: ...

    @asks.test("asks")
    class Asks(Word):
        name: str

        def check(self, use: Use) -> None:
            use.learn([self.name])

        def holds(self, run: Any) -> bool:  # noqa: ARG002
            return True

    script = 'require ["vnd.one", "vnd.asks"];\nif asks "vnd.other" { stop; }'
    assert install(one, other, asks).rules(script) == ["word-ambiguous"]


def test_a_declaration_without_brackets() -> None:
    extension = Extension("vnd.wrong", "a test")
    with pytest.raises(TypeError, match=r"write @vnd.wrong.test\(\) with brackets"):

        @extension.test  # type: ignore[arg-type]
        class Wrong(Word):
            def holds(self, run: Any) -> bool:  # noqa: ARG002
                return True
