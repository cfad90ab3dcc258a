"""include: what tests in Sieve cannot say: places, hints, mentions, traces, and deep nesting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted
from support.outcomes import fault
from support.sieve import FakeHost, Sieve

from sieveav.language.checking import Checked, check
from sieveav.language.vocabulary import Vocabulary
from sieveav.limits import BLOCK_NESTING, Limits
from sieveav.running.base import base
from sieveav.running.outcome import Outcome
from sieveav.running.questions import Script
from sieveav.site.library import Library

name_flaw: Any = import_module("sieveav.extensions.include").name_flaw

Scripts = Mapping[str, str]
RunScripts = Callable[..., tuple[Outcome, list[Script]]]


@pytest.fixture
def run(sieve: Sieve, fake_host: type[FakeHost]) -> RunScripts:
    """Runs a script that includes `scripts`: name, or location:name -> text."""

    def run(script: str, scripts: Scripts, **more: Any) -> tuple[Outcome, list[Script]]:
        def find(asked: Script) -> Checked | None:
            text = scripts.get(f"{asked.location}:{asked.name}", scripts.get(asked.name))
            vocabulary = Vocabulary([base], Library(), settings=more.get("settings"))
            return None if text is None else check(text.encode(), f"{asked.name}.sieve", vocabulary)

        host = fake_host(answers={Script: find})
        outcome = sieve.run(script, host=host, **more)
        return outcome, [asked for asked in host.asked if isinstance(asked, Script)]

    return run


def failure(outcome: Outcome) -> str:
    """The place and message of the run-time error."""
    error = fault(outcome)
    return f"{error.place}: {error.message}"


REQUIRE = 'require ["include", "variables"];\n'


def test_momentums_word_includes_global_scripts(run: RunScripts) -> None:
    outcome, asked = run(
        'require "ec_include"; ec_include "a"; discard;',
        {"global:a": 'redirect "x@example.org";', "personal:a": "stop;"},
    )
    assert [action.name for action in outcome.actions] == ["redirect", "discard"]
    assert asked == [Script("a", "global")]
    missing, _ = run('require "ec_include"; ec_include "b";', {})
    assert fault(missing).message == 'global script "b" does not exist'


# ---- places


def test_a_fault_is_at_the_line_of_the_script_that_has_it(run: RunScripts) -> None:
    inner = 'require "variables";\nset "x" "nobody";\n\nredirect "${x}";\n'
    outcome, _ = run(REQUIRE + 'include "inner";\n', {"inner": inner})
    assert str(fault(outcome).place) == "inner.sieve:4"
    assert [action.implicit for action in outcome.actions] == [True]


def test_a_fault_after_an_included_script_is_in_the_including_one(run: RunScripts) -> None:
    script = REQUIRE + 'include "inner";\nset "x" "nobody";\nredirect "${x}";\n'
    outcome, _ = run(script, {"inner": "\n\n\n\n\nkeep;\n"})
    assert str(fault(outcome).place) == "test.sieve:4"


def test_actions_name_the_script_that_has_them(run: RunScripts) -> None:
    outcome, _ = run('require ["include", "fileinto"]; include "inner"; fileinto "B";', {"inner": "keep;"})
    assert [str(action.place) for action in outcome.actions] == ["inner.sieve:1", "test.sieve:1"]


def test_an_invalid_script_is_named_with_its_first_error(run: RunScripts, accepted: Accepted) -> None:
    # a warning before it, and another error after it
    inner = 'require ["imap4flags"];\naddflag "\\\\Recent";\nfrobnicate;\nfileinto "A";\n'
    outcome, _ = run('require "include";\n\ninclude "inner";\n', {"inner": inner})
    assert "unknown command frobnicate" in fault(outcome).message
    accepted(failure(outcome))


def test_a_missing_script(run: RunScripts, accepted: Accepted) -> None:
    outcome, asked = run('require "include";\nif true {\n  include :global "x";\n}\n', {})
    accepted(failure(outcome))
    assert asked == [Script("x", "global")]


def test_a_script_that_includes_itself_at_once(run: RunScripts, accepted: Accepted) -> None:
    script = REQUIRE + 'set "global.n" "${global.n}x"; include :once "test"; if string "${global.n}" "x" { discard; }'
    outcome, _ = run(script, {"test": script})
    assert [action.name for action in outcome.actions] == ["discard"]
    script = 'require "include";\ninclude "test";'
    outcome, _ = run(script, {"test": script}, tracing=True)
    accepted(failure(outcome))
    assert "included" not in [step.result for step in outcome.trace]


# ---- limits


def test_recursion_names_the_line_of_the_script_that_did_it(run: RunScripts, accepted: Accepted) -> None:
    scripts = {
        "a": 'require "include";\n\ninclude "b";\n',
        "b": 'require "include";\n\n\ninclude "a";\n',
    }
    outcome, _ = run('require "include";\ninclude "a";\n', scripts)
    accepted(failure(outcome))


def test_ten_thousand_includes(run: RunScripts) -> None:
    outcome, asked = run('require "include";\n' + 'include "a";\n' * 10_000, {"a": "keep;"})
    assert str(fault(outcome).place) == "test.sieve:257"
    assert len(asked) == 1
    assert [action.implicit for action in outcome.actions] == [True]


def test_includes_that_include(run: RunScripts) -> None:
    """Each script includes the next one ten times: 10 ** 9 scripts without a limit."""
    scripts = {f"s{i}": 'require "include";\n' + f'include "s{i + 1}";\n' * 10 for i in range(9)} | {"s9": ""}
    outcome, asked = run('require "include"; include "s0";', scripts)
    assert "255" in fault(outcome).message
    assert len(asked) == 10


def test_many_missing_scripts_cost_steps(run: RunScripts) -> None:
    outcome, asked = run('require "include";\n' + 'include :optional "a";\n' * 10_000, {})
    assert outcome.fault is None
    assert len(asked) == 1


def chain(length: int, script: str = 'include "%s";\n') -> dict[str, str]:
    scripts = {f"s{i}": 'require ["include", "foreverypart"];\n' + script % f"s{i + 1}" for i in range(1, length)}
    return {**scripts, f"s{length}": 'require "fileinto"; fileinto "Deep";'}


def test_depth(run: RunScripts, accepted: Accepted) -> None:
    outcome, _ = run('require "include"; include "s1";', chain(10))
    assert [action.name for action in outcome.actions] == ["fileinto"]
    outcome, _ = run('require "include"; include "s1";', chain(11))
    accepted(failure(outcome))


def test_the_deepest_blocks_in_the_deepest_scripts(run: RunScripts) -> None:
    """The deepest script that is allowed does not exhaust Python's stack."""
    head = "if anyof (false, true) {\n" * (BLOCK_NESTING - 1) + "foreverypart {\n"
    deepest = f'{head} include "%s";\n{"}" * BLOCK_NESTING}'
    scripts = chain(10, deepest)
    outcome, _ = run(f'require ["include", "foreverypart"];\n{deepest % "s1"}', scripts, tracing=True)
    assert outcome.fault is None
    assert [action.name for action in outcome.actions] == ["fileinto"]


def test_limits_are_settings(run: RunScripts, accepted: Accepted) -> None:
    settings = {"include": {"max_includes": 1, "max_nesting_depth": 2}}
    outcome, _ = run('require "include"; include "a"; include "a";', {"a": "keep;"}, settings=settings)
    accepted(failure(outcome))
    settings = {"include": {"max_includes": 9, "max_nesting_depth": 2}}
    outcome, _ = run('require "include"; include "s1";', chain(3), settings=settings)
    accepted(failure(outcome))


def test_steps_of_included_scripts_count(run: RunScripts) -> None:
    inner = "if true { }\n" * 1000
    script = 'require ["include"];\n' + 'include "inner";\n' * 200
    outcome, _ = run(script, {"inner": inner}, limits=Limits(steps=100_000))
    assert fault(outcome).message.startswith("step limit")


@pytest.mark.parametrize(("rewritten", "fits"), [(1000, False), (3000, True)])
def test_octets_that_a_script_within_a_loop_rewrites(run: RunScripts, rewritten: int, fits: bool) -> None:
    """The whole message is rewritten too, not only the part."""
    message = f"Content-Type: multipart/mixed; boundary=a\n\n{'x' * 1000}\n--a\n\nHi.\n--a--\n"
    script = 'require ["include", "foreverypart"]; foreverypart { include "inner"; }'
    inner = 'require "replace"; if not header :contains "Content-Type" "multipart" { replace "Removed"; }'
    outcome, _ = run(script, {"inner": inner}, message=message, limits=Limits(rewritten=rewritten))
    assert (outcome.fault is None) is fits
    if not fits:
        assert str(fault(outcome).place) == "inner.sieve:1"


# ---- what is remembered


def test_a_script_is_the_same_all_through_a_run(run: RunScripts) -> None:
    scripts = {"a": 'require "fileinto"; fileinto "A";', "global:a": "keep;"}
    script = 'require "include"; include "a"; include :personal "a"; include :global "a"; include :optional "a";'
    outcome, asked = run(script, scripts)
    assert asked == [Script("a", "personal"), Script("a", "global")]
    assert outcome.fault is None


def test_two_runs_are_equal(run: RunScripts) -> None:
    scripts = {
        "a": REQUIRE + 'set "global.x" "${global.x}a";',
        "b": REQUIRE + 'if string "${global.x}" "a" { discard; }',
    }
    script = 'require "include"; include "a"; include "b";'
    assert run(script, scripts)[0] == run(script, scripts)[0]
    assert [action.name for action in run(script, scripts)[0].actions] == ["discard"]


def test_a_trace_shows_what_was_included(run: RunScripts) -> None:
    outcome, _ = run(
        'require "include"; include "a"; include :once "a"; include :optional "b";', {"a": "keep;"}, tracing=True
    )
    steps = [(step.what, step.result) for step in outcome.trace]
    assert ('personal script "a"', "a.sieve") in steps  # the answer of the host
    for step in (("a", "included"), ("a", "included before"), ("b", "not found")):
        assert (f'personal script "{step[0]}"', step[1]) in steps


# ---- when a script is checked


def test_what_a_script_mentions(sieve: Sieve) -> None:
    script = 'require "include"; include "a";\ninclude :global :optional "b"; if true { include :once :personal "c"; }'
    mentions = sieve.program(script).mentions
    assert [(m.kind, m.name, m.location, m.place.line) for m in mentions] == [
        ("script", "a", "personal", 1),
        ("optional script", "b", "global", 2),
        ("script", "c", "personal", 2),
    ]


@pytest.mark.parametrize(
    ("script", "rule", "marked"),
    [
        (REQUIRE + 'include "a/b";', "script-invalid", '"a/b"'),
        (REQUIRE + 'include "${x}";', "argument-not-constant", '"${x}"'),
        (REQUIRE + 'include :global :personal "a";', "tag-repeated", ":personal"),
        (REQUIRE + "include;", "argument-missing", "include"),
        (REQUIRE + 'global ["a", "1"];', "variable-name", '"1"'),
        (REQUIRE + 'set "a" ""; global "a";', "global-late", '"a"'),
        ('require "include"; global "a";', "variables-missing", "global"),
        ('require "variables"; global "a";', "word-unknown", "global"),
        ('require "variables"; set "x" "${global.a}";', "namespace-unknown", '"${global.a}"'),
        ('require "variables"; set "global.a" "";', "variable-name", '"global.a"'),
        ('include "a";', "word-unknown", "include"),
        ('include_all "a";', "word-unknown", "include_all"),
        (REQUIRE + 'set "global.a.b" "";', "variable-name", '"global.a.b"'),
        (REQUIRE + f'set "global.{"a" * 65}" "";', "variable-name", f'"global.{"a" * 65}"'),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, rule: str, marked: str) -> None:
    checked = sieve.check(script)
    (problem,) = checked.problems
    assert problem.rule == rule
    assert checked.source.text[problem.span.start : problem.span.end].rstrip(";") == marked
    accepted(sieve.texts(script))


def test_global_variables_are_limited(sieve: Sieve) -> None:
    names = ", ".join(f'"v{i}"' for i in range(256))
    assert sieve.rules(f"{REQUIRE} global [{names}];") == ["variables-too-many"]


def test_it_is_allowed_in_each_phase(sieve: Sieve) -> None:
    for phase in ("connect", "data", "each_rcpt"):
        assert sieve.rules(REQUIRE + 'global "x"; include "a"; return;', phase=phase) == []


# ---- names


@given(st.text())
def test_names(name: str) -> None:
    if name_flaw(name) == "":
        assert 1 <= len(name) <= 128
        assert len(name.encode("utf-8")) <= 512
        assert not set(name) & {*"/\\`\0\r\n\x7f\x85\u2028\u2029"}
        assert name[0] != "."


@pytest.mark.parametrize(
    "name", ["a", "Ärger im Büro", "日本語", "a.b", "R&D (new)", "x" * 128, "a..b", "-", "%n", "$", "🙂"]
)
def test_good_names(name: str) -> None:
    assert name_flaw(name) == ""


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".x", "/", "/etc/passwd", "a/b", "a\\b", "a\0", "a\r\nb", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u2029",
     "\udc80", "\ufeffa", "\uffff", "\u0378", "`id`", "$(id)", "x" * 129],
)  # fmt: skip
def test_bad_names(name: str) -> None:
    assert name_flaw(name) != ""
