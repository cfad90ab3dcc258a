"""Runs as words see them: everything that a word can do, tried with small words of these tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from support import outcomes
from support.clock import Clock
from support.sieve import FakeHost, Install, Sieve

from sieveav.extending import (
    Acting,
    Action,
    AddField,
    Block,
    Break,
    DropFields,
    Environment,
    Extension,
    ForeignTag,
    Now,
    Option,
    Outcome,
    Program,
    Record,
    Response,
    Rewrite,
    Run,
    Seen,
    Send,
    Severity,
    Store,
    Strings,
    Use,
    Word,
    derived,
    optional,
    tag,
    value,
)
from sieveav.limits import Limits
from sieveav.options import INTEGER
from sieveav.running.executing import chain, execute
from sieveav.running.outcome import IMPLICIT_KEEP, UNDECIDED
from sieveav.running.run import Case
from sieveav.running.variables import Variables

Deed = Callable[[Any, Run], Any]

Doing = Callable[..., Sieve]
"""The fixture `doing`: doing(name=deed)."""

REQUIRE = 'require ["vnd.probe", "fileinto", "variables", "imap4flags", "copy", "reject"];\n'
WITH = ("fileinto", "variables", "imap4flags", "copy", "reject", "mailbox")


def probe(**deeds: Deed) -> Extension:
    """Words that do what the test says: `do "name";`, `if holds "name" { }`, `around "name" { ... }`; `note "text";` takes
    an action of that text."""
    ext = Extension("vnd.probe", "a test")

    @ext.command("do")
    class Do(Word):
        deed: str

        def run(self, run: Run) -> None:
            deeds[self.deed](self, run)

    @ext.test("holds")
    class Holds(Word):
        deed: str

        def holds(self, run: Run) -> bool:
            return bool(deeds[self.deed](self, run))

    @ext.command("around")
    class EngineWrapper(Word):
        deed: str
        body: Block

        def run(self, run: Run) -> None:
            deeds[self.deed](self, run)

    @ext.action("note")
    class Note(Acting):
        text: str

        def make_action(self) -> Action:
            return Action("note", cancels_keep=False, details={"text": self.text})

    return ext


@pytest.fixture
def doing(install: Install) -> Doing:
    """`sieve` with the words of `probe`, and some of the extensions: doing(name=deed)."""

    def make(**deeds: Deed) -> Sieve:
        return install(probe(**deeds), *WITH)

    return make


def notes(outcome: Outcome) -> list[Any]:
    """The texts of the actions `note`, in order."""
    return [action.details["text"] for action in outcome.actions if action.name == "note"]


def through(sieve: Sieve, case: Case, *scripts: str) -> Outcome:
    """Scripts of one recipient in turn."""
    programs = [sieve.program(script, path=f"{number}.sieve") for number, script in enumerate(scripts, 1)]
    return chain(partial(execute, program, case) for program in programs).with_implicit_keep()


# ---- actions


@pytest.mark.parametrize(
    ("script", "actions"),
    [
        # the inbox is one mailbox, and the last flags are those that the message gets
        ('keep; fileinto "INBOX";', ["fileinto INBOX"]),
        ('fileinto "inbox"; keep;', ["fileinto inbox"]),
        ('fileinto "INBOX"; fileinto "Inbox";', ["fileinto Inbox"]),
        ('fileinto :copy "INBOX";', ["fileinto INBOX"]),
        ('fileinto :copy "x";', ["fileinto x", "implicit keep"]),
        ('fileinto "INBOX/x"; keep;', ["fileinto INBOX/x", "keep"]),
        ('keep :flags "a"; fileinto :flags "b" "INBOX";', ["fileinto INBOX b"]),
        ('fileinto :flags "b" "INBOX"; keep :flags "a";', ["fileinto INBOX a"]),
        ('fileinto "x"; keep; note "a"; fileinto "INBOX";', ["fileinto x", "fileinto INBOX", "note"]),
        ('setflag "a"; fileinto :copy "INBOX"; setflag "b";', ["fileinto INBOX a"]),
    ],
)
def test_the_inbox_is_one_mailbox(doing: Doing, script: str, actions: list[str]) -> None:
    found = []
    for action in doing().run(REQUIRE + script).actions:
        stores = [f"{e.mailbox or ''} {' '.join(e.flags)}" for e in action.effects if isinstance(e, Store)]
        found.append(" ".join(f"{'implicit ' * action.implicit}{action.name} {' '.join(stores)}".split()))
    assert found == actions


@pytest.mark.parametrize("script", ['keep; fileinto "INBOX";', 'fileinto "INBOX"; keep;', 'keep; fileinto "x";'])
def test_an_explicit_keep_lets_the_next_script_run(doing: Doing, script: str) -> None:
    outcome = doing().run(REQUIRE + script)
    assert outcome.keep
    assert not doing().run(REQUIRE + 'fileinto "INBOX";').keep


def test_conflicts_with_an_action_that_was_replaced(install: Install) -> None:
    ext = Extension("vnd.alone", "a test")

    @ext.action("alone")
    class Alone(Acting):
        def make_action(self) -> Action:
            return Action("alone", conflicts=frozenset({"keep"}))

    @ext.action("first")
    class First(Acting):
        def make_action(self) -> Action:
            return Action("first", (Store("x"),), conflicts=frozenset({"discard"}))

    sieve = install(ext, "fileinto")
    require = 'require ["vnd.alone", "fileinto"];'
    for script, fault in (
        ('keep; fileinto "INBOX"; alone;', "alone conflicts with keep"),
        ('alone; keep; fileinto "INBOX";', "keep conflicts with alone"),
        ('first; fileinto "x"; discard;', "discard conflicts with first"),
    ):
        assert sieve.actions(f"{require} {script}") == ["implicit keep", f"fault: {fault}"]


def test_only_sending_the_incoming_message_counts_as_a_redirect(install: Install) -> None:
    ext = Extension("vnd.send", "a test")

    @ext.action("answer")
    class Answer(Acting):
        text: str

        def make_action(self) -> Action:
            return Action("answer", (Send("bob@example.org", self.text.encode(), ""),), cancels_keep=False)

    sieve = install(ext)
    script = 'require "vnd.send"; answer "a"; answer "b"; redirect "a@b";'
    assert sieve.run(script, limits=Limits(redirects=1)).fault is None
    assert outcomes.fault(sieve.run(script, limits=Limits(redirects=0))).message == "more than 0 redirects"
    assert outcomes.fault(sieve.run(script, limits=Limits(actions=2))).message == "more than 2 actions"


# ---- amends


def test_amenders(install: Install) -> None:
    ext = Extension("vnd.amend", "a test")

    class Adding:
        def __init__(self, text: str) -> None:
            self.text = text

        def amend(self, action: Action) -> Action:
            return replace(action, details={"with": f"{action.details.get('with', '')}{self.text}"})

    @ext.tag(":bare", on=["fileinto", "keep"])
    class Bare(ForeignTag):
        pass

    @ext.action("setting")
    class Setting(Word):
        text: str

        def run(self, run: Run) -> None:
            run.memory(list[str]).append(self.text)

    @ext.amends(on=["keep", "fileinto"], unless=":bare", order=2)
    def second(run: Run) -> Adding | None:
        texts = run.memory(list[str])
        return Adding("".join(texts)) if texts else None

    @ext.amends(on=["fileinto"], order=1)
    def first(run: Run) -> Adding:  # noqa: ARG001
        return Adding("<")

    sieve = install(ext, "fileinto", "copy")

    def marks(script: str, **more: Any) -> list[tuple[str, object]]:
        require = 'require ["vnd.amend", "fileinto", "copy"];'
        return [(action.name, action.details.get("with")) for action in sieve.run(require + script, **more).actions]

    assert marks('fileinto "x";') == [("fileinto", "<")]
    assert marks('setting "a"; fileinto "x"; setting "b"; fileinto "y";') == [("fileinto", "<a"), ("fileinto", "<ab")]
    assert marks('setting "a"; fileinto :bare "x"; keep :bare; discard;') == [
        ("fileinto", "<"),
        ("keep", None),
        ("discard", None),
    ]
    assert marks('setting "a"; redirect "a@b";') == [("redirect", None)]
    # the implicit keep, as it is at the end
    assert marks('fileinto :copy "x"; setting "a";') == [("fileinto", "<"), ("keep", "a")]
    assert marks("if false { keep; }") == [("keep", None)]
    # not required, not asked
    assert sieve.run('require "fileinto"; fileinto "x";').actions[0].details == {}


# ---- edits


HEADER = "Subject: one\nX-A: 1\nX-A: 2\n\nbody\n"

EDITS: dict[str, Deed] = {
    "add": lambda word, run: run.edit(word, "addheader", AddField("X-A", "0")),
    "last": lambda word, run: run.edit(word, "addheader", AddField("X-A", "3", last=True)),
    "drop": lambda word, run: run.edit(word, "deleteheader", DropFields("x-a", (1,))),
    "rewrite": lambda word, run: run.edit(word, "replace", Rewrite(b"Subject: two\n\nother\n")),
    "tell": lambda _, run: run.act(Action("note", details={"text": run.message.fields.get("x-a")}, cancels_keep=False)),
    "raw": lambda _, run: run.act(Action("note", details={"text": run.message.raw}, cancels_keep=False)),
    "size": lambda _, run: run.act(Action("note", details={"text": run.message.size}, cancels_keep=False)),
    "bad": lambda _, run: run.fail("bad"),
}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('do "tell";', [[" 1", " 2"]]),
        ('do "add"; do "tell";', [[" 0", " 1", " 2"]]),
        ('do "last"; do "tell";', [[" 1", " 2", " 3"]]),
        (
            'do "tell"; do "add"; do "tell"; do "drop"; do "drop"; do "tell";',
            [[" 1", " 2"], [" 0", " 1", " 2"], [" 2"]],
        ),
        ('do "drop"; do "drop"; do "tell";', [None]),
        ('if exists "x-a" { do "drop"; do "drop"; } if exists "x-a" { note "there"; }', []),
        ('do "add"; if header "x-a" "0" { note "zero"; }', ["zero"]),
        ('do "add"; do "raw";', [b"X-A: 0\nSubject: one\nX-A: 1\nX-A: 2\n\nbody\n"]),
        ('do "last"; do "raw";', [b"Subject: one\nX-A: 1\nX-A: 2\nX-A: 3\n\nbody\n"]),
        ('do "size"; do "drop"; do "size";', [len(HEADER), len(HEADER) - len("X-A: 1\n")]),
        ('do "drop"; if size :under 34 { note "small"; }', ["small"]),
        ('do "rewrite"; do "tell"; do "raw";', [None, b"Subject: two\n\nother\n"]),
        ('do "rewrite"; if header "subject" "two" { do "add"; do "tell"; }', [[" 0"]]),
    ],
)
def test_edits_are_seen_by_later_words(doing: Doing, script: str, expected: list[Any]) -> None:
    outcome = doing(**EDITS).run(REQUIRE + script, HEADER)
    assert notes(outcome) == expected
    assert outcome.fault is None


def test_edits_are_seen_by_later_scripts(doing: Doing) -> None:
    sieve = doing(**EDITS)
    case = sieve.case(HEADER)
    first, second, third = (f'{REQUIRE} do "{edit}"; keep;' for edit in ("add", "last", "drop"))
    outcome = through(sieve, case, first, second, third, f'{REQUIRE} do "tell";')
    assert notes(outcome) == [[" 1", " 2", " 3"]]
    assert [action.name for action in outcome.actions] == ["addheader", "addheader", "deleteheader", "note", "keep"]
    assert str(outcome.actions[2].place) == "3.sieve:2"


def test_edits_are_seen_by_no_other_recipient(doing: Doing) -> None:
    sieve = doing(**EDITS)
    case = sieve.case(HEADER)
    other = replace(case, envelope=replace(case.envelope, recipient="carol@example.com"))
    through(sieve, case, f'{REQUIRE} do "add"; keep;', f'{REQUIRE} do "rewrite"; do "tell";')
    outcome = through(sieve, other, f'{REQUIRE} do "tell"; do "raw";')
    assert notes(outcome) == [[" 1", " 2"], HEADER.encode()]
    assert case.message.raw == HEADER.encode()
    equal = through(sieve, other, f'{REQUIRE} do "add"; do "tell";')
    assert notes(equal) == [[" 0", " 1", " 2"]]


def test_edits_are_dropped_with_a_fault(doing: Doing) -> None:
    """RFC 5293, 7."""
    sieve = doing(**EDITS)
    outcome = through(sieve, sieve.case(HEADER), f'{REQUIRE} do "add"; do "bad";', f'{REQUIRE} do "tell";')
    assert notes(outcome) == [[" 1", " 2"]]
    assert [action.name for action in outcome.actions] == ["note", "keep"]


def test_an_edit_does_not_count_as_an_action_or_repeat(doing: Doing) -> None:
    sieve = doing(**EDITS)
    outcome = sieve.run(f'{REQUIRE} do "add"; do "add"; do "tell"; keep;', HEADER, limits=Limits(actions=2))
    assert outcome.fault is None
    assert [action.name for action in outcome.actions] == ["addheader", "addheader", "note", "keep"]
    outcome = sieve.run(f'{REQUIRE} do "add";', HEADER)
    assert outcome.keep
    assert outcome.actions[-1] == IMPLICIT_KEEP


def test_edits_are_limited(doing: Doing) -> None:
    sieve = doing(**EDITS)
    adds = 'do "add"; ' * 64
    assert sieve.run(REQUIRE + adds).fault is None
    fault = outcomes.fault(sieve.run(f'{REQUIRE}{adds}\ndo "drop";'))
    assert (fault.message, str(fault.place)) == ("more than 64 edits", "test.sieve:3")
    fault = outcomes.fault(sieve.run(f'{REQUIRE} do "add"; do "add";', limits=Limits(edits=1)))
    assert fault.message == "more than 1 edits"
    both = through(sieve, sieve.case(limits=Limits(edits=1)), *[f'{REQUIRE} do "add";'] * 2)
    assert both.fault is None  # of each script


# ---- stages of the script: stop, fail, respond


def test_a_response_ends_everything(doing: Doing) -> None:
    def answer(word: Any, run: Run) -> None:
        run.respond(word, Response(550, "5.7.1", "no"))

    sieve = doing(answer=answer)
    outcome = through(sieve, sieve.case(), f'{REQUIRE} keep; note "a";', f'{REQUIRE} note "b";\ndo "answer"; note "c";')
    assert (outcome.actions, outcome.ended, outcome.keep) == ((), True, False)
    assert outcome.response is not None
    assert (outcome.response.code, str(outcome.response.place)) == (550, "2.sieve:3")
    assert outcome.answer == outcome.response
    later = through(sieve, sieve.case(), f'{REQUIRE} do "answer";', f'{REQUIRE} note "b";')
    assert later.actions == ()  # the chain ends


def test_a_fault_is_at_the_word_or_at_the_current_step(doing: Doing) -> None:
    sieve = doing(here=lambda word, run: run.fail("here", word), step=lambda _, run: run.fail("step"))
    for script, where in (
        ('\nif true {\n do "here"; }', 4),
        ('\nif true {\n do "step"; }', 4),
        ('\nif\n holds "here" { }', 4),
        ('\nif\n holds "step" { }', 3),  # of the command
    ):
        fault = outcomes.fault(sieve.run(REQUIRE + script))
        assert (fault.message, str(fault.place)) == (fault.message, f"test.sieve:{where}")


# ---- notes and records


def test_notes_are_kept_even_after_a_fault(doing: Doing) -> None:
    def log(word: Any, run: Run) -> None:
        run.log(Severity.WARNING, "at\r\nthe word\x1b", word)
        run.log(Severity.ADVICE, "at the step")

    sieve = doing(log=log, bad=lambda _, run: run.fail("bad"))
    outcome = sieve.run(f'{REQUIRE} do "log";\nnote "a"; do "bad";')
    assert [(note.severity, note.text, str(note.place)) for note in outcome.notes] == [
        ("warning", "at  the word ", "test.sieve:2"),
        ("advice", "at the step", "test.sieve:2"),
        ("error", "bad", "test.sieve:3"),
    ]
    assert [action.name for action in outcome.actions] == ["keep"]
    both = through(sieve, sieve.case(), f'{REQUIRE} do "log";', f'{REQUIRE} do "log"; do "bad";')
    assert [str(note.place) for note in both.notes] == ["1.sieve:2", "1.sieve:2", "2.sieve:2", "2.sieve:2", "2.sieve:2"]


def test_notes_are_limited(doing: Doing) -> None:
    sieve = doing(log=lambda _, run: run.log(Severity.ADVICE, "x"), bad=lambda _, run: run.fail("bad"))
    script = REQUIRE + 'do "log"; ' * 5
    assert len(sieve.run(script, limits=Limits(notes=3)).notes) == 3
    outcome = sieve.run(f'{script} do "bad";', limits=Limits(notes=3))
    assert [note.text for note in outcome.notes] == ["x", "x", "x", "bad"]  # the fault is always noted


REMEMBER: dict[str, Deed] = {
    "a": lambda _, run: run.remember(Record("a", 60)),
    "b": lambda _, run: run.remember(Record("b", 60, sliding=True)),
    "bad": lambda _, run: run.fail("bad"),
    "no": lambda word, run: run.respond(word, Response(550, "5.7.1", "no")),
    "later": lambda word, run: run.respond(word, Response(451, "4.7.1", "later")),
}


@pytest.mark.parametrize(
    ("scripts", "keys"),
    [
        (['do "a";'], ["a"]),
        (['do "a"; do "b";'], ["a", "b"]),
        (['do "a"; discard;'], ["a"]),
        (['do "a"; do "bad";'], []),  # it did not succeed
        (['do "a"; do "no";'], ["a"]),
        (['do "a"; do "later";'], []),  # the message comes again
        (['do "a";', 'do "b";'], ["a", "b"]),
        (['do "a";', 'do "b"; do "bad";'], ["a"]),
        (['do "a";', 'do "b"; do "no";'], ["a", "b"]),
        (['do "a";', 'do "b"; do "later";'], []),
        (['do "a"; discard;', 'do "b";'], ["a"]),
    ],
)
def test_what_is_remembered(doing: Doing, scripts: list[str], keys: list[str]) -> None:
    sieve = doing(**REMEMBER)
    outcome = through(sieve, sieve.case(), *[REQUIRE + script for script in scripts])
    assert [record.key for record in outcome.records] == keys
    assert all(action.name in ("keep", "discard") for action in outcome.actions)  # it is no action


# ---- blocks: leaving, loops


def around(word: Any, run: Run) -> None:
    with run.leaving(word):
        word.body.run(run)
        run.act(Action("note", details={"text": f"end of {word.deed}"}, cancels_keep=False))


def test_leaving_a_block(doing: Doing) -> None:
    outer: list[Any] = []

    def opened(word: Any, run: Run) -> None:
        outer.append(word)
        around(word, run)

    sieve = doing(
        outer=opened,
        inner=around,
        leave=lambda _, run: run.leave(outer[-1]),
        stop=lambda _, run: run.stop(),
    )
    script = 'around "outer" { note "1"; around "inner" { note "2"; HERE note "3"; } note "4"; } note "5";'
    to_the_end = ["1", "2", "3", "end of inner", "4", "end of outer", "5"]
    assert notes(sieve.run(REQUIRE + script.replace("HERE", ""))) == to_the_end
    assert notes(sieve.run(REQUIRE + script.replace("HERE", 'do "leave";'))) == ["1", "2", "5"]
    assert notes(sieve.run(REQUIRE + script.replace("HERE", 'if true { do "leave"; }'))) == ["1", "2", "5"]
    assert notes(sieve.run(REQUIRE + script.replace("HERE", 'do "stop";'))) == ["1", "2"]


def loop(capability: str, name: str) -> Extension:
    """An extension with a loop, `NAME "times" { ... }`, and a `break`."""
    ext = Extension(capability, "a test")

    @ext.command(name)
    class Loop(Word):
        breaks = True
        name: str = tag(":name", "")
        times: str
        body: Block

        def run(self, run: Run) -> None:
            with run.leaving(self):
                for number in range(int(self.times)):
                    run.spend(1)
                    run.act(Action("note", details={"text": f"{name}{number}"}, cancels_keep=False))
                    self.body.run(run)

    ext.command("break")(Break)
    return ext


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('one "3" { break; }', ["one0"]),
        ('two "3" { break; }', ["two0"]),
        ('one "2" { two "2" { break; } }', ["one0", "two0", "one1", "two0"]),
        ('one :name "o" "2" { two "2" { break :name "o"; } }', ["one0", "two0"]),
        ('one "2" { if true { break; } note "never"; }', ["one0"]),
        ('two "2" { foreverypart { break; } note "x"; }', ["two0", "x", "two1", "x"]),
        ('foreverypart { two "2" { break; } note "x"; }', ["two0", "x"]),
        ('foreverypart :name "p" { two "2" { break :name "p"; } note "never"; }', ["two0"]),
        # the argument is known only while running
        ('set "n" "3"; one "${n}" { break; }', ["one0"]),
        ('set "n" "2"; one :name "o" "${n}" { two "${n}" { break :name "o"; } }', ["one0", "two0"]),
        ('set "n" "2"; one "${n}" { two "${n}" { break; } }', ["one0", "two0", "one1", "two0"]),
    ],
)
def test_one_break_for_the_loops_of_all_extensions(install: Install, script: str, expected: list[str]) -> None:
    sieve = install(probe(), loop("vnd.one", "one"), loop("vnd.two", "two"), "variables", "foreverypart")
    require = 'require ["vnd.probe", "vnd.one", "vnd.two", "variables", "foreverypart"];'
    outcome = sieve.run(f"{require} {script}")
    assert outcome.fault is None
    assert notes(outcome) == list(dict.fromkeys(expected))  # a second note of the same text is the same action


def test_a_break_outside_of_any_loop(install: Install) -> None:
    sieve = install(loop("vnd.one", "one"))
    require = 'require "vnd.one";'
    assert sieve.problems(f"{require} break;") == ["break-outside 1:20 break outside a loop"]
    assert sieve.problems(f'{require} one :name "a" "1" {{ break :name "b"; }}') == [
        'break-outside 1:52 break outside a loop named "b"'
    ]


def test_a_loop_is_bounded(install: Install) -> None:
    sieve = install(loop("vnd.one", "one"))
    script = 'require "vnd.one"; one "1000" { if true { } }'
    assert outcomes.fault(sieve.run(script, limits=Limits(steps=20))).message == "step limit exceeded (20)"


# ---- within: included programs


def later(deeds: dict[str, Deed]) -> Deed:
    """Does `deeds["inner"]`, which may be set later."""

    def do(word: Any, run: Run) -> Any:
        return deeds["inner"](word, run)

    return do


def including(sieve: Sieve, script: str, **vocabulary: Any) -> Deed:
    """A deed that includes a script."""
    program = sieve.program(script, path="inner.sieve", **vocabulary)

    def include(_: Any, run: Run) -> None:
        with run.within(program):
            program.block.run(run)

    return include


def test_an_included_script_has_variables_of_its_own(doing: Doing) -> None:
    deeds: dict[str, Deed] = {}
    sieve = doing(include=later(deeds))
    deeds["inner"] = including(
        sieve,
        REQUIRE
        + """note "v=${v} 1=${1}"; set "v" "inner";
        if header :matches "subject" "*" { note "v=${v} 1=${1}"; }""",
    )
    script = """set "v" "outer"; if header :matches "from" "*<*" { do "include"; note "v=${v} 1=${1}"; }"""
    outcome = sieve.run(REQUIRE + script)
    assert notes(outcome) == ["v= 1=", "v=inner 1=Hello", "v=outer 1=Bob "]


def test_an_included_script_shares_message_actions_and_memories(doing: Doing) -> None:
    deeds = dict(EDITS)

    def count(_: Any, run: Run) -> None:
        run.memory(list[str]).append(run.program.source.path)
        run.act(Action("note", details={"text": tuple(run.memory(list[str]))}, cancels_keep=False))

    sieve = doing(**EDITS, count=count, include=later(deeds))
    deeds["inner"] = including(sieve, REQUIRE + 'do "count"; do "add"; fileinto "inner"; keep;')
    outcome = sieve.run(REQUIRE + 'do "count"; do "include"; do "count"; do "tell"; keep;', HEADER)
    outer, inner = "test.sieve", "inner.sieve"
    assert notes(outcome) == [(outer,), (outer, inner), (outer, inner, outer), [" 0", " 1", " 2"]]
    assert [(a.name, str(a.place)) for a in outcome.actions if a.place is not None] == [
        ("addheader", "inner.sieve:2"),
        ("fileinto", "inner.sieve:2"),
        ("keep", "test.sieve:2"),
    ]


def test_the_place_of_a_fault_in_an_included_script(doing: Doing) -> None:
    deeds: dict[str, Deed] = {}
    sieve = doing(include=later(deeds), bad=lambda _, run: run.fail("bad"))
    deeds["inner"] = including(sieve, REQUIRE + 'keep;\n\n do "bad";')
    fault = outcomes.fault(sieve.run(REQUIRE + 'do "include";'))
    assert str(fault.place) == "inner.sieve:4"
    deeds["inner"] = including(sieve, REQUIRE + "keep;")
    fault = outcomes.fault(sieve.run(REQUIRE + 'do "include";\n if holds "bad" { }'))
    assert str(fault.place) == "test.sieve:3"


def test_amenders_of_an_included_script_remain(doing: Doing) -> None:
    """RFC 6609, 3: an included script is part of the script; its flags apply to later stores."""
    deeds: dict[str, Deed] = {}
    sieve = doing(include=later(deeds))
    deeds["inner"] = including(sieve, 'require ["imap4flags", "fileinto"]; addflag "a"; fileinto "1";')
    plain = 'require ["vnd.probe", "fileinto", "copy"];'
    outcome = sieve.run(f'{plain} fileinto "0"; do "include"; do "include"; fileinto "2"; keep;')
    assert [(store.mailbox, store.flags) for store in outcomes.effects(outcome, Store)] == [
        ("0", ()),
        ("1", ("a",)),
        ("2", ("a",)),
        (None, ("a",)),
    ]
    kept = sieve.run(f'{plain} do "include"; fileinto :copy "2";', implicit=False)
    assert kept.implicit.effects == (Store(flags=("a",)),)


def test_leaving_and_stopping_out_of_an_included_script(doing: Doing) -> None:
    deeds: dict[str, Deed] = {}

    def include(word: Any, run: Run) -> None:
        deeds["word"] = word
        with run.leaving(word):
            deeds["inner"](word, run)

    def leave(_: Any, run: Run) -> None:
        run.leave(deeds["word"])

    sieve = doing(include=include, leave=leave)
    deeds["inner"] = including(sieve, REQUIRE + 'set "v" "inner"; note "a"; if true { do "leave"; } note "b";')
    script = REQUIRE + 'set "v" "outer"; do "include"; note "${v}";'
    assert notes(sieve.run(script)) == ["a", "outer"]
    deeds["inner"] = including(sieve, REQUIRE + 'note "a"; stop;')
    assert notes(sieve.run(script)) == ["a"]


def test_an_included_script_sees_what_it_has_enabled(doing: Doing) -> None:
    deeds: dict[str, Deed] = {}

    def tell(_: Any, run: Run) -> None:
        run.act(Action("note", details={"text": sorted(run.enabled)}, cancels_keep=False))

    sieve = doing(
        include=later(deeds),
        a=lambda _, run: run.enable(["a"]),
        b=lambda _, run: run.enable(["b"]),
        tell=tell,
    )
    deeds["inner"] = including(sieve, REQUIRE + 'do "tell"; do "b"; do "tell";')
    assert notes(sieve.run(REQUIRE + 'do "a"; do "include"; do "tell";')) == [[], ["b"], ["a"]]


# ---- variables that several scripts share


def test_variables_that_are_shared() -> None:
    common, mine, theirs = Variables(), Variables(), Variables()
    mine["x"] = "before"
    mine.share("X", common)
    assert mine["x"] == ""
    mine["X"] = "shared"
    mine["y"] = "own"
    theirs.share("x", common)
    assert (theirs["x"], theirs["y"], common["x"]) == ("shared", "", "shared")
    theirs["x"] = "y" * 5000
    assert mine["x"] == "y" * 4096
    assert common["y"] == ""


def test_global_variables(doing: Doing) -> None:
    deeds: dict[str, Deed] = {}

    def share(_: Any, run: Run) -> None:
        run.variables.share("g", run.memory(Variables))

    sieve = doing(share=share, include=later(deeds))
    deeds["inner"] = including(sieve, REQUIRE + 'do "share"; note "${g}"; set "g" "inner"; set "v" "inner";')
    outcome = sieve.run(REQUIRE + 'do "share"; set "g" "outer"; do "include"; note "${g}${v}";')
    assert notes(outcome) == ["outer", "inner"]
    assert notes(sieve.run(REQUIRE + 'set "g" "outer"; do "include"; note "${g}";')) == ["", "outer"]


# ---- for tests of scripts: attempt, execute, outcome, reset


def test_an_attempt(doing: Doing) -> None:
    faults: list[Any] = []

    def attempt(word: Any, run: Run) -> None:
        step = run.step
        faults.append(run.attempt(word.body))
        assert run.step is step

    sieve = doing(attempt=attempt, bad=lambda _, run: run.fail("bad"))
    script = """around "attempt" { note "a"; }
around "attempt" { note "b";
  if true { do "bad"; } note "never"; }
around "attempt" { note "c";
  stop; }
note "d";"""
    outcome = sieve.run(REQUIRE + script)
    assert outcome.fault is None
    assert notes(outcome) == ["a", "b", "c", "d"]
    assert [fault and (fault.message, str(fault.place)) for fault in faults] == [
        None,
        ("bad", "test.sieve:4"),
        ("ended by stop", "test.sieve:6"),
    ]


def test_an_attempt_has_steps_and_a_clock_of_its_own(doing: Doing, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    faults: list[str] = []

    def attempt(word: Any, run: Run) -> None:
        fault = run.attempt(word.body)
        faults.append(fault.message if fault else "")

    def sleep(_: Any, run: Run) -> None:
        clock.pass_by(0.3)
        run.tick()

    def slow(_: Any, run: Run) -> None:
        clock.pass_by(0.3)
        run.spend(60)

    sieve = doing(
        attempt=attempt,
        spend=lambda _, run: run.spend(60),
        sleep=sleep,
        tick=lambda _, run: run.tick(),
        slow=slow,
    )
    limits = Limits(steps=100, wall_clock=0.2)
    outcome = sieve.run(
        REQUIRE
        + 'do "spend"; around "attempt" { do "spend"; } around "attempt" { do "spend"; do "spend"; } do "tick";',
        limits=limits,
    )
    assert outcome.fault is None
    assert faults == ["", "step limit exceeded (100)"]
    outcome = sieve.run(REQUIRE + 'around "attempt" { do "sleep"; } do "tick"; note "a";', limits=limits)
    assert (outcome.fault, faults[2:]) == (None, ["time limit exceeded (0.2 s)"])
    # afterwards the script's own go on where they were
    outcome = sieve.run(REQUIRE + 'do "spend"; around "attempt" { do "spend"; } do "spend";', limits=limits)
    assert outcomes.fault(outcome).message == "step limit exceeded (100)"
    outcome = sieve.run(REQUIRE + 'around "attempt" { do "spend"; } do "slow";', limits=Limits(wall_clock=0.2))
    assert outcomes.fault(outcome).message == "time limit exceeded (0.2 s)"


def test_another_script_on_the_current_message(install: Install) -> None:
    deeds: dict[str, Deed] = {}
    sieve = install(probe(**EDITS, test=later(deeds)), *WITH, "vctx")
    script = 'require ["vnd.probe", "vctx", "fileinto"];'
    program = sieve.program(f'{script} if header "x-a" "0" {{ do "tell"; vctx_mess_set "n" "x"; fileinto "z"; }}')
    before = Outcome(actions=(Action("note", details={"text": "before"}, cancels_keep=False),))

    def test(_: Any, run: Run) -> None:
        outcome = run.execute(program, before)
        assert [action.name for action in outcome.actions] == ["note", "note", "fileinto"]
        assert notes(outcome) == ["before", [" 0", " 1", " 2"]]
        assert not outcome.keep
        assert run.execute(sieve.program(f'{script} do "bad";')).fault is not None
        assert run.context.get("n") is None  # a context of its own

    deeds["inner"] = test
    outcome = sieve.run(REQUIRE + 'do "add"; note "a"; do "test";', HEADER)
    assert outcome.fault is None
    assert notes(outcome) == ["a"]


def test_the_outcome_so_far_and_reset(doing: Doing) -> None:
    found: list[Outcome] = []
    sieve = doing(
        look=lambda _, run: found.append(run.outcome()),
        reset=lambda _, run: run.reset(),
        record=lambda _, run: run.remember(Record("a", 1)),
        log=lambda _, run: run.log(Severity.WARNING, "said"),
        **EDITS,
    )
    outcome = sieve.run(
        REQUIRE
        + """set "v" "kept"; do "look"; fileinto "x"; do "record"; do "log"; do "add"; setflag "a"; do "look"; do "reset";
        do "look"; do "tell"; note "${v}"; fileinto "y"; do "look";""",
        HEADER,
    )
    first, second, third, last = found
    assert first == UNDECIDED
    assert [action.name for action in second.actions] == ["fileinto", "addheader"]
    assert (second.keep, second.records, second.implicit.effects) == (False, (Record("a", 1),), (Store(flags=("a",)),))
    assert (third.actions, third.keep, third.records) == ((), True, ())
    assert [note.text for note in third.notes] == ["said"]
    assert notes(last) == [[" 0", " 1", " 2"], "kept"]
    assert [effect for action in last.actions for effect in action.effects] == [Store("y", ("a",))]
    assert last == outcome


# ---- questions and the trace


def test_questions_are_asked_of_the_host(doing: Doing) -> None:
    host = FakeHost(answers={Environment: lambda question: f"<{question.item}>", Seen: lambda _: None})
    sieve = doing(
        ask=lambda _, run: run.act(Action("note", details={"text": run.ask(Environment("name"))}, cancels_keep=False)),
        seen=lambda _, run: run.ask(Seen("k")),
    )
    outcome = sieve.run(REQUIRE + 'do "ask";\nif holds "seen" { }', host=host, tracing=True)
    assert notes(outcome) == ["<name>"]
    assert host.asked == [Environment("name"), Seen("k")]
    assert [(step.what, step.result, step.place and step.place.line) for step in outcome.trace] == [
        ("environment item name", "<name>", 2),
        ("action", "note", None),
        ("k seen before", "none", 3),
        ('holds "seen"', "false", 3),
    ]


def test_explaining(doing: Doing) -> None:
    sieve = doing(
        say=lambda word, run: (run.explain(word, "said"), run.explain(word, "more", "what"), run.explain(None, "all")),
        edit=EDITS["add"],
    )
    outcome = sieve.run(REQUIRE + 'do "say"; do "edit";', HEADER, tracing=True)
    assert [(step.what, step.result, step.place and step.place.line) for step in outcome.trace] == [
        ('do "say"', "said", 2),
        ("what", "more", 2),
        ("", "all", None),
        ("action", 'addheader "X-A: 0"', 2),
    ]
    assert sieve.run(REQUIRE + 'do "say";').trace == ()


def test_mail_loops_are_detected(doing: Doing) -> None:
    sieve = doing(go=lambda _, run: run.redirecting())
    received = "Received: x\n"
    assert sieve.run(REQUIRE + 'do "go";', received * 3 + "\n", limits=Limits(received=3)).fault is None
    fault = outcomes.fault(sieve.run(REQUIRE + 'do "go";', received * 4 + "\n", limits=Limits(received=3)))
    assert fault.message == "mail loop detected: 4 Received fields"


def test_the_focus(doing: Doing) -> None:
    seen: list[Any] = []

    def within(word: Any, run: Run) -> None:
        seen.append(run.focus("thing"))
        with suppress(KeyError), run.focused("thing", word):
            seen.append(run.focus("thing"))
            with run.focused("thing", "inner"):
                seen.append(run.focus("thing"))
            seen.append(run.focus("thing"))
            seen.append(run.focus("other"))
            raise KeyError
        seen.append(run.focus("thing"))

    sieve = doing(within=within)
    program = sieve.program(REQUIRE + 'do "within";')
    case = sieve.case()
    execute(program, case)
    message, word = case.message, program.block.steps[0]
    assert seen == [message, word, "inner", word, message, message]


# ---- strings with variables


@dataclass
class Expanding:
    """Scripts with the command `count`, and the arguments with which it was prepared."""

    sieve: Sieve
    prepared: list[tuple[str, tuple[str, ...], str]]


@pytest.fixture
def expanding(install: Install) -> Expanding:
    """count, whose `prepare` is counted, with a tag of its own and one of another extension."""
    ext = Extension("vnd.expand", "a test")

    @ext.action("count")
    class Count(Acting):
        prepared: Any = derived([])
        by: str = tag(":by", "")
        many: Strings = optional(())
        name: str

        def make_action(self) -> Action:
            self.prepared.append((self.by, self.many, self.name))
            return Action("count", details={"name": self.name}, cancels_keep=False)

    @ext.tag(":on", on=["count"])
    class On(ForeignTag):
        text: str

        def amend(self, action: Action) -> Action:
            return replace(action, details={**action.details, "on": self.text})

    Count.prepared.clear()
    return Expanding(install(ext, "variables", "vctx"), Count.prepared)


EXPAND = 'require ["vnd.expand", "variables", "vctx"]; '


def runs(expanding: Expanding, line: str, values: list[str]) -> list[Any]:
    """The arguments with which a word was prepared while its program ran once for each of the values of the variable v."""
    sieve = expanding.sieve
    del expanding.prepared[:]
    program: Program = sieve.program(f'{EXPAND} vctx_mess_set "n" "0"; {line}'.replace("${v}", "${vctx.v}"))
    for each in values:
        case = sieve.case()
        case.context.message["v"] = each
        outcome = execute(program, case)
        assert outcome.fault is None
    return list(expanding.prepared)


def test_copies_are_remembered_by_their_values(expanding: Expanding) -> None:
    line = 'count :by "b${v}" ["x", "${v}"] "n${v}";'
    assert runs(expanding, line, ["1", "2", "1", "1", "2"]) == [
        ("b1", ("x", "1"), "n1"),
        ("b2", ("x", "2"), "n2"),
    ]
    assert runs(expanding, 'count "constant";', ["1", "2"]) == [("", (), "constant")]
    assert runs(expanding, 'count :on "${v}" "x";', ["1", "2", "1"]) == [("", (), "x")] * 2


def test_the_number_and_length_of_copies_are_limited(expanding: Expanding) -> None:
    many = [str(number) for number in range(65)]
    assert len(runs(expanding, 'count "${v}";', [*many[:64], *many[:64]])) == 64
    assert len(runs(expanding, 'count "${v}";', [*many, *many[:1]])) == 66  # all were forgotten
    assert len(runs(expanding, 'count "${v}";', ["x" * 1000] * 2)) == 1
    assert len(runs(expanding, 'count "${v}";', ["x" * 1001] * 2)) == 2  # too long
    assert len(runs(expanding, 'count ["${v}", "${v}"] "a";', ["x" * 501] * 2)) == 2
    assert len(runs(expanding, 'count :on "${v}" "x";', ["x" * 900] * 2)) == 1
    assert len(runs(expanding, 'count :on "${v}" "x";', ["x" * 1001] * 2)) == 2


def test_long_values_of_tags_are_not_kept(expanding: Expanding) -> None:
    """A copy with a long value is not remembered anywhere: many of them would take much memory."""
    program = expanding.sieve.program(f'{EXPAND} count :on "${{vctx.v}}" "x";')
    (word,) = program.block.steps
    for number in range(5):
        case = expanding.sieve.case()
        case.context.message["v"] = f"{number}" * 2000
        assert execute(program, case).actions[0].details["on"] == f"{number}" * 2000
    held = [
        copy for copy in vars(word).values() if isinstance(copy, dict) and copy and isinstance(next(iter(copy)), tuple)
    ]
    assert held == []


def test_a_copy_is_the_same_each_time(expanding: Expanding) -> None:
    program = expanding.sieve.program(f'{EXPAND} count "${{vctx.v}}";')
    case = expanding.sieve.case()
    case.context.message["v"] = "a"
    first, second = (execute(program, case).actions[0] for _ in range(2))
    assert first is second


# ---- settings while running


def test_settings_are_read_while_running(install: Install) -> None:
    ext = Extension("vnd.live", "a test")
    ext.setting(Option("size", INTEGER, 3, "how large"))

    @ext.action("measure")
    class Measure(Word):
        limit: int = value(valid=lambda limit: "" if limit else "nothing")

        def check(self, use: Use) -> None:
            assert use.setting("vnd.live", "size") == 3

        def run(self, run: Run) -> None:
            run.act(Action("note", details={"text": self.settings["size"] < self.limit}, cancels_keep=False))

    settings: dict[str, dict[str, Any]] = {}
    sieve = install(ext)
    program = sieve.program('require "vnd.live"; measure 5;', settings=settings)
    assert notes(execute(program, sieve.case())) == [True]
    settings["vnd.live"] = {"size": 6}
    assert notes(execute(program, sieve.case())) == [False]


# ---- the implicit keep


def test_another_implicit_keep(doing: Doing) -> None:
    def archive(_: Any, run: Run) -> None:
        run.implicit = run.implicit.changing(Store, mailbox="Archive")

    sieve = doing(archive=archive)
    assert sieve.actions(REQUIRE + 'do "archive";') == ["implicit keep Archive"]
    assert sieve.actions(REQUIRE + 'do "archive"; fileinto :copy "Archive";') == ["fileinto Archive"]
    outcome = through(sieve, sieve.case(), REQUIRE + 'do "archive"; setflag "a";', 'require "fileinto";')
    assert outcome.actions[0].effects == (Store("Archive", ("a",)),)


# ---- the same again


def test_the_answers_of_a_host_are_remembered(doing: Doing) -> None:
    asked = []

    def now(question: Now) -> datetime:
        asked.append(question)
        return Now.otherwise

    sieve = doing(now=lambda _, run: run.ask(Now()))
    sieve.run(REQUIRE + 'if allof (holds "now", holds "now") { }', host=FakeHost(answers={Now: now}))
    assert asked == [Now()]
