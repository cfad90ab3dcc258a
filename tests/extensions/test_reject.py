"""reject and ereject, RFC 5429."""

from __future__ import annotations

import pytest
from support.sieve import PutOnShelf, Sieve

from sieveav.extending import Acting, Action, Extension

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
    assert action.effects[0].silent is (word == "ereject")  # RFC 5429, 2.1.2: no notice to a forged sender


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
def test_it_goes_with_no_delivery_and_no_second_refusal(sieve: Sieve, word: str, other: str) -> None:
    """RFC 5429, 2.4, whichever comes first; a fault leaves the implicit keep."""
    for script in (f'{word} "c"; {other}', f'{other} {word} "c";'):
        kept, fault = sieve.actions(f"{REQUIRE} {script}")
        assert kept == "implicit keep"
        names = (word, other.partition(" ")[0].strip(";"))
        first, second = names if script.startswith(word) else names[::-1]
        assert fault == f"fault: {second} conflicts with {first}"


@pytest.mark.parametrize("word", WORDS)
def test_vacation(shelf: PutOnShelf, word: str) -> None:
    """RFC 5429, 2.4: MUST be incompatible."""
    ext = Extension("vnd.away", "a test")

    @ext.action("vacation")
    class Away(Acting):
        def stands_for(self) -> Action:
            return Action("vacation", (), cancels_keep=False)

    sieve = shelf(ext, word)
    require = f'require ["vnd.away", "{word}"];'
    assert sieve.actions(f'{require} vacation; {word} "c";')[-1] == f"fault: {word} conflicts with vacation"
    assert sieve.actions(f'{require} {word} "c"; vacation;')[-1] == f"fault: vacation conflicts with {word}"


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    ("first", "actions"),
    [
        ("keep;", []),  # it only let the next script run
        ('fileinto :copy "x";', ["fileinto x"]),
        ('redirect :copy "a@example.com";', ["redirect a@example.com"]),
        ('keep; fileinto :copy "x";', ["fileinto x"]),
    ],
)
def test_what_an_earlier_script_did_is_no_conflict(sieve: Sieve, word: str, first: str, actions: list[str]) -> None:
    """Nobody who writes a script can know what ran before it."""
    before = sieve.run(f"{REQUIRE} {first}", implicit=False)
    assert sieve.actions(f'{REQUIRE} {word} "c";', before=before) == [*actions, f"{word} c"]


@pytest.mark.parametrize("word", WORDS)
def test_what_a_later_script_does_is_no_conflict(sieve: Sieve, word: str) -> None:
    before = sieve.run(f'{REQUIRE} {word} "c";')
    assert sieve.actions(f'{REQUIRE} fileinto "x";', before=before) == [f"{word} c", "fileinto x"]


@pytest.mark.parametrize("word", WORDS)
def test_discard_changes_nothing(sieve: Sieve, word: str) -> None:
    """RFC 5228, 4.4: discard undoes only the implicit keep."""
    assert sieve.actions(f'{REQUIRE} discard; {word} "c";') == ["discard", f"{word} c"]


def test_after_the_fault_of_another_script_it_stands(sieve: Sieve) -> None:
    first = sieve.run(f'{REQUIRE} reject "a";')
    second = sieve.run(f'{REQUIRE} keep; reject "x";', before=first)
    assert second.fault is not None
    assert [action.name for action in second.actions] == ["reject", "keep"]


@pytest.mark.parametrize(
    ("script", "rules"),
    [
        ("reject;", ["argument-missing"]),
        ('reject "";', ["argument-invalid"]),
        ('ereject " \r\n ";', ["argument-invalid"]),
        ("reject 5;", ["argument-type"]),
        ('reject ["a", "b"];', ["argument-type"]),
        ('reject :copy "a";', ["tag-unknown"]),
        ('reject "a" "b";', ["argument-surplus"]),
        ('if reject "a" { stop; }', ["word-unknown"]),
    ],
)
def test_problems(sieve: Sieve, script: str, rules: list[str]) -> None:
    assert sieve.rules(REQUIRE + script) == rules


@pytest.mark.parametrize("word", WORDS)
def test_each_is_required_by_its_own_name(sieve: Sieve, word: str) -> None:
    other = WORDS[word == "reject"]
    assert sieve.rules(f'require "{word}"; {word} "a";') == []
    assert sieve.rules(f'require "{other}"; {word} "a";') == ["word-unknown"]
    (problem,) = sieve.check(f'{word} "a";').problems
    assert problem.hint == f'write: require "{word}";'


@pytest.mark.parametrize(
    ("phase", "rules"),
    [("data", []), ("spool", []), ("each_rcpt", []), ("connect", ["wrong-phase"]), ("rcptto", ["wrong-phase"])],
)
def test_phases(sieve: Sieve, phase: str, rules: list[str]) -> None:
    assert sieve.rules(f'{REQUIRE} reject "a";', phase=phase) == rules


def test_a_reason_of_variables_that_comes_out_empty(sieve: Sieve) -> None:
    """What is known only while running may be empty: the message is refused all the same."""
    (action,) = sieve.run('require ["reject", "variables"]; reject "${nothing}";').actions
    assert action.as_json()["reason"]
