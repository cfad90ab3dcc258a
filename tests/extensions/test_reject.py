"""reject and ereject, RFC 5429."""

from __future__ import annotations

import pytest
from support.accepting import Accepted
from support.outcomes import effect
from support.sieve import Install, Sieve

from sieveav.extending import Acting, Action, Extension, Refuse

REQUIRE = 'require ["reject", "ereject", "fileinto", "copy"];'
WORDS = ("reject", "ereject")


@pytest.mark.parametrize("word", WORDS)
def test_it_refuses_and_cancels_the_implicit_keep(sieve: Sieve, word: str) -> None:
    (action,) = sieve.run(f'{REQUIRE} {word} "no such user";').actions
    assert action.as_json() == {
        "action": word,
        "reason": "no such user",
        "at": {"path": "test.sieve", "line": 1, "column": len(REQUIRE) + 2},
    }
    assert effect(action, Refuse).silent is (word == "ereject")  # RFC 5429, 2.1.2: no notice to a forged sender


@pytest.mark.parametrize("word", WORDS)
def test_a_reason_of_several_lines(sieve: Sieve, word: str) -> None:
    (action,) = sieve.run(f"{REQUIRE} {word} text:\n\nDear sender,\n..no.\n\n.\n;").actions
    assert action.as_json()["reason"] == "Dear sender,\r\n.no."


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    "other",
    [
        "keep;",
        'fileinto "x";',
        'fileinto :copy "x";',
        'redirect "a@example.com";',
        'reject "a";',
        'ereject "b";',
    ],
)
def test_it_conflicts_with_delivery_and_a_second_refusal(sieve: Sieve, word: str, other: str) -> None:
    """RFC 5429, 2.4, in either order; after a run-time error the implicit keep applies."""
    for script in (f'{word} "c"; {other}', f'{other} {word} "c";'):
        kept, fault = sieve.actions(f"{REQUIRE} {script}")
        assert kept == "implicit keep"
        names = (word, other.partition(" ")[0].strip(";"))
        first, second = names if script.startswith(word) else names[::-1]
        assert fault == f"fault: {second} conflicts with {first}"


@pytest.mark.parametrize("word", WORDS)
def test_vacation(install: Install, word: str) -> None:
    """RFC 5429, 2.4: MUST be incompatible."""
    ext = Extension("vnd.away", "a test")

    @ext.action("vacation")
    class Away(Acting):
        def make_action(self) -> Action:
            return Action("vacation", (), cancels_keep=False)

    sieve = install(ext, word)
    require = f'require ["vnd.away", "{word}"];'
    assert sieve.actions(f'{require} vacation; {word} "c";')[-1] == f"fault: {word} conflicts with vacation"
    assert sieve.actions(f'{require} {word} "c"; vacation;')[-1] == f"fault: vacation conflicts with {word}"


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    ("first", "actions"),
    [
        ("keep;", []),  # it only lets the next script run
        ('fileinto :copy "x";', ["fileinto x"]),
        ('redirect :copy "a@example.com";', ["redirect a@example.com"]),
        ('keep; fileinto :copy "x";', ["fileinto x"]),
    ],
)
def test_actions_of_earlier_scripts_do_not_conflict(sieve: Sieve, word: str, first: str, actions: list[str]) -> None:
    """The author of a script cannot know what ran before it."""
    before = sieve.run(f"{REQUIRE} {first}", implicit=False)
    assert sieve.actions(f'{REQUIRE} {word} "c";', before=before) == [*actions, f"{word} c"]


@pytest.mark.parametrize("word", WORDS)
def test_actions_of_later_scripts_do_not_conflict(sieve: Sieve, word: str) -> None:
    before = sieve.run(f'{REQUIRE} {word} "c";')
    assert sieve.actions(f'{REQUIRE} fileinto "x";', before=before) == [f"{word} c", "fileinto x"]


@pytest.mark.parametrize("word", WORDS)
def test_discard_changes_nothing(sieve: Sieve, word: str) -> None:
    """RFC 5228, 4.4: discard undoes only the implicit keep."""
    assert sieve.actions(f'{REQUIRE} discard; {word} "c";') == ["discard", f"{word} c"]


def test_it_stays_after_a_run_time_error_of_a_later_script(sieve: Sieve) -> None:
    first = sieve.run(f'{REQUIRE} reject "a";')
    second = sieve.run(f'{REQUIRE} keep; reject "x";', before=first)
    assert second.fault is not None
    assert [action.name for action in second.actions] == ["reject", "keep"]


@pytest.mark.parametrize(
    ("script", "rules"),
    [
        ("reject;", ["argument-missing"]),
        ('reject "";', ["reason-empty"]),
        ('ereject " \r\n ";', ["reason-empty"]),
        ('reject "nö";', ["reason-not-ascii"]),
        ('ereject "nö";', ["reason-not-ascii"]),
        ("reject 5;", ["argument-type"]),
        ('reject ["a", "b"];', ["argument-type"]),
        ('reject :copy "a";', ["tag-unknown"]),
        ('reject "a" "b";', ["argument-surplus"]),
        ('if reject "a" { stop; }', ["word-unknown"]),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, rules: list[str]) -> None:
    assert sieve.rules(REQUIRE + script) == rules
    accepted(sieve.texts(REQUIRE + script))


def test_a_reason_that_is_not_ascii_is_advice(sieve: Sieve) -> None:
    """RFC 5429, 2.1.1: it reaches only clients that support UTF-8 in replies."""
    checked = sieve.check(f'{REQUIRE} reject "nö";')
    assert [str(problem.severity) for problem in checked.problems] == ["advice"]
    assert sieve.rules('require ["reject", "variables"]; reject "${nö}";') == ["reason-not-ascii"]


@pytest.mark.parametrize("word", WORDS)
def test_each_is_required_by_its_own_name(sieve: Sieve, word: str) -> None:
    other = WORDS[word == "reject"]
    assert sieve.rules(f'require "{word}"; {word} "a";') == []
    assert sieve.rules(f'require "{other}"; {word} "a";') == ["word-unknown"]
    (problem,) = sieve.check(f'{word} "a";').problems
    assert problem.hint == f'write: require "{word}";'


@pytest.mark.parametrize(
    ("phase", "rules"),
    [("data", []), ("spool", []), ("each_rcpt", []), ("connect", ["phase-invalid"]), ("rcptto", ["phase-invalid"])],
)
def test_phases(sieve: Sieve, phase: str, rules: list[str]) -> None:
    assert sieve.rules(f'{REQUIRE} reject "a";', phase=phase) == rules


def test_a_reason_that_variables_make_empty(sieve: Sieve) -> None:
    """The value of a variable may be empty: the message is refused anyway."""
    (action,) = sieve.run('require ["reject", "variables"]; reject "${nothing}";').actions
    assert action.as_json()["reason"]
