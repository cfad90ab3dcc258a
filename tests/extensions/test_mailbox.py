"""mailbox, RFC 5490, 3.1 and 3.2."""

from __future__ import annotations

import pytest
from support.accepting import Accepted
from support.sieve import FakeHost, Sieve

REQUIRE = 'require ["mailbox", "fileinto"];'


@pytest.mark.parametrize(
    ("names", "holds", "asked"),
    [
        ('"Partners"', True, ["Partners"]),
        ('"Strangers"', False, ["Strangers"]),
        ('["Partners", "INBOX"]', True, ["Partners", "INBOX"]),
        ('["Strangers", "Partners"]', False, ["Strangers"]),
        ('["Partners", "Strangers"]', False, ["Partners", "Strangers"]),
    ],
)
def test_mailboxexists(sieve: Sieve, fake_host: type[FakeHost], names: str, holds: bool, asked: list[str]) -> None:
    host = fake_host(mailboxes=("INBOX", "Partners"))
    assert sieve.holds(f"mailboxexists {names}", host=host, require=REQUIRE) is holds
    assert [question.name for question in host.asked] == asked


@pytest.mark.parametrize(("there", "actions"), [(["Partners"], ["fileinto Partners"]), ([], ["discard"])])
def test_the_example(sieve: Sieve, fake_host: type[FakeHost], there: list[str], actions: list[str]) -> None:
    script = f'{REQUIRE} if mailboxexists "Partners" {{ fileinto "Partners"; }} else {{ discard; }}'
    assert sieve.actions(script, host=fake_host(mailboxes=there)) == actions


@pytest.mark.parametrize("name", ["", "a\x07b", "x" * 300])
def test_an_invalid_name(sieve: Sieve, fake_host: type[FakeHost], name: str) -> None:
    """A warning for a constant, false for a variable; the host is not asked."""
    assert sieve.rules(f'{REQUIRE} if mailboxexists "{name}" {{ stop; }}') == ["mailbox-invalid"]
    host = fake_host()
    script = f'require "variables"; {REQUIRE} set "name" "{name}"; if mailboxexists "${{name}}" {{ discard; }}'
    assert sieve.actions(script, host=host) == ["implicit keep"]
    assert host.asked == []


@pytest.mark.parametrize(("tag", "create"), [(":create", True), ("", None)])
def test_create(sieve: Sieve, tag: str, create: bool | None) -> None:
    (action,) = sieve.run(f'{REQUIRE} fileinto {tag} "Lists/sieve";').actions
    shown = action.as_json()
    assert (shown["mailbox"], shown.get("create")) == ("Lists/sieve", create)


def test_create_goes_with_copy(sieve: Sieve) -> None:
    script = 'require ["mailbox", "fileinto", "copy"]; fileinto :copy :create "Lists";'
    assert sieve.actions(script) == ["fileinto Lists", "implicit keep"]


@pytest.mark.parametrize(
    ("script", "place"),
    [
        ("keep :create;", "tag-unknown 2:6"),
        ('redirect :create "a@b.c";', "tag-unknown 2:10"),
        ("if mailboxexists { stop; }", "argument-missing 2:4"),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, place: str) -> None:
    assert sieve.places(f"{REQUIRE}\n{script}") == [place]
    accepted(sieve.texts(f"{REQUIRE}\n{script}"))


def test_not_in_scripts_that_run_once_per_message(sieve: Sieve) -> None:
    assert sieve.rules('require "mailbox"; if mailboxexists "a" { stop; }', phase="data") == ["phase-invalid"]


def test_unknown_without_require(sieve: Sieve) -> None:
    checked = sieve.check('require "fileinto"; fileinto :create "a"; if mailboxexists "a" { stop; }')
    assert [(p.rule, p.hint) for p in checked.problems] == [
        ("tag-unknown", 'write: require "mailbox";'),
        ("word-unknown", 'write: require "mailbox";'),
    ]
