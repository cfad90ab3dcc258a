"""extlists, RFC 6134, beyond extlists.svtest: hints, spans, JSON, questions to the host."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted
from support.outcomes import fault, present
from support.sieve import FakeHost, Sieve

from sieveav.limits import Limits
from sieveav.running.lists import list_flaw, list_key
from sieveav.running.questions import Listed, Members

DEFAULT = "urn:ietf:params:sieve:addrbook:default"

MESSAGE = """From: Ann <Ann@Example.COM>
To: bob@example.org, bob@example.org, carol@example.org
Subject: Hello

Hi.
"""


MakeHost = Callable[..., FakeHost]


@pytest.fixture
def lists(fake_host: type[FakeHost]) -> MakeHost:
    """A host with these lists: name -> its members."""

    def make(**members: tuple[str, ...]) -> FakeHost:
        named = {f"tag:x.example,2024:{name}": values for name, values in members.items()}

        def listed(asked: Listed) -> bool | None:
            found = named.get(asked.list)
            return None if found is None else not asked.values or not set(found).isdisjoint(asked.values)

        return fake_host(answers={Listed: listed, Members: lambda asked: named.get(asked.list)})

    return make


def holds(sieve: Sieve, test: str, host: FakeHost) -> bool:
    require = 'require ["extlists", "envelope", "variables"];'
    return bool(sieve.holds(test, MESSAGE, host=host, require=require))


def test_the_list_is_asked_for_each_unfolded_value_once(sieve: Sieve, lists: MakeHost) -> None:
    host = lists(a=("Ann@Example.COM",), b=())
    assert holds(sieve, 'address :list "from" "tag:x.example,2024:a"', host)
    assert not holds(sieve, 'address :list ["to", "from"] "TAG:x.example,2024:b"', host)
    assert host.asked == [
        Listed("tag:x.example,2024:a", ("Ann@Example.COM",)),
        Listed("tag:x.example,2024:b", ("bob@example.org", "carol@example.org", "Ann@Example.COM")),
    ]


def test_lists_are_asked_up_to_the_first_that_contains_a_value(sieve: Sieve, lists: MakeHost) -> None:
    host = lists(a=(), b=("Hello",), c=("Hello",))
    keys = '["tag:x.example,2024:a", "TAG:x.example,2024:a", "tag:x.example,2024:b", "tag:x.example,2024:c"]'
    assert holds(sieve, f'header :list "subject" {keys}', host)
    assert [question.list[-1] for question in host.asked] == ["a", "b"]


def test_without_values_no_list_is_asked(sieve: Sieve, lists: MakeHost) -> None:
    """A question without values would ask whether the list exists."""
    host = lists(a=("x",))
    assert not holds(sieve, 'header :list "x-none" "tag:x.example,2024:a"', host)
    assert host.asked == []


def test_valid_ext_list_asks_for_no_values(sieve: Sieve, lists: MakeHost) -> None:
    host = lists(a=())
    assert holds(sieve, 'valid_ext_list "tag:x.example,2024:a"', host)
    assert not holds(sieve, 'valid_ext_list [":addrbook:default", "tag:x.example,2024:a"]', host)
    assert host.asked == [Listed("tag:x.example,2024:a"), Listed(DEFAULT)]


@pytest.mark.parametrize("phase", ["connect", "data", "each_rcpt"])
def test_valid_ext_list_needs_no_message(sieve: Sieve, phase: str) -> None:
    assert sieve.rules('require "extlists"; if valid_ext_list ":addrbook:default" { stop; }', phase=phase) == []


# ---- redirect


def test_the_actions_name_the_list(sieve: Sieve, lists: MakeHost) -> None:
    host = lists(a=("ann@example.com", "Bob Smith <bob@example.com>"))
    outcome = sieve.run('require "extlists";\nredirect :list "TAG:x.example,2024:a";', MESSAGE, host=host)
    at = {"path": "test.sieve", "line": 2, "column": 1}
    assert [action.as_json() for action in outcome.actions] == [
        {"action": "redirect", "address": address, "list": "tag:x.example,2024:a", "at": at}
        for address in ("ann@example.com", "bob@example.com")
    ]


def test_a_plain_redirect_names_no_list(sieve: Sieve) -> None:
    (action,) = sieve.run('redirect "ann@example.com";').actions
    assert set(action.as_json()) == {"action", "address", "at"}


def test_members_that_are_not_addresses_are_logged(sieve: Sieve, accepted: Accepted, lists: MakeHost) -> None:
    host = lists(a=("x", "ann@example.com", "bob@example.com\r\nBcc: eve@example.com"), b=("x",), c=())
    script = 'require "extlists"; redirect :list "tag:x.example,2024:%s";'
    notes = {name: [note.text for note in sieve.run(script % name, host=host).notes] for name in "abc"}
    assert [len(texts) for texts in notes.values()] == [1, 2, 1]
    accepted(text for texts in notes.values() for text in texts)
    assert sieve.actions(script % "a", host=host) == ["redirect ann@example.com"]
    assert sieve.actions(script % "b", host=host) == ["implicit keep"]


def test_a_long_list_is_not_read_to_its_end(sieve: Sieve, accepted: Accepted, fake_host: type[FakeHost]) -> None:
    taken = 0

    class Long(tuple[str, ...]):
        __slots__ = ()

        def __iter__(self) -> Any:
            nonlocal taken
            while True:
                taken += 1
                yield f"{taken}@example.com"

    host = fake_host(answers={Members: lambda _: Long()})
    outcome = sieve.run(
        'require "extlists"; redirect :list ":addrbook:default";', host=host, limits=Limits(redirects=9)
    )
    accepted(fault(outcome).message)
    assert taken == 10


def test_the_time_limit_applies_while_members_are_read(sieve: Sieve, fake_host: type[FakeHost]) -> None:
    class Slow(tuple[str, ...]):
        __slots__ = ()

        def __iter__(self) -> Any:
            time.sleep(0.3)
            return iter(["no address"] * 1000)

    host = fake_host(answers={Members: lambda _: Slow()})
    script = 'require "extlists"; redirect :list ":addrbook:default";'
    assert fault(sieve.run(script, host=host, limits=Limits(wall_clock=0.2))).message.startswith("time limit")


def test_a_mail_loop_is_detected(sieve: Sieve, lists: MakeHost) -> None:
    message = "Received: x\n" * 51 + MESSAGE
    script = 'require "extlists"; redirect :list "tag:x.example,2024:a";'
    assert "mail loop" in fault(sieve.run(script, message, host=lists(a=("ann@example.com",)))).message


def test_a_trace_does_not_show_a_whole_list(sieve: Sieve, lists: MakeHost) -> None:
    host = lists(a=tuple(f"{n}@example.com" for n in range(10_000)))
    outcome = sieve.run('require "extlists"; redirect :list "tag:x.example,2024:a";', host=host, tracing=True)
    assert max(len(step.result) for step in outcome.trace) < 2000


# ---- problems

REQUIRE = 'require ["extlists", "relational", "body", "variables", "editheader"];'
UNKNOWN = 'write: require "extlists";'


@pytest.mark.parametrize(
    ("script", "rule", "at"),
    [
        ('if header :list "subject" "family" { stop; }', "list-invalid", '"family"'),
        ('redirect :list "family";', "list-invalid", '"family"'),
        ('if valid_ext_list [":a", "b"] { stop; }', "list-invalid", '"b"'),
        ('deleteheader :list "x-a" "family";', "list-invalid", '"family"'),
        ('if header :list :comparator "i;octet" "subject" ":a" { stop; }', "comparator-unfit", '"i;octet"'),
        ('if body :list ":a" { stop; }', "list-unfit", ":list"),
        ('if header :list :contains "subject" ":a" { stop; }', "tag-repeated", ":contains"),
        ('redirect :list :list ":a";', "tag-repeated", ":list"),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, rule: str, at: str) -> None:
    checked = sieve.check(f"{REQUIRE} {script}")
    (problem,) = checked.problems
    assert problem.rule == rule
    accepted(sieve.texts(f"{REQUIRE} {script}"))
    assert checked.source.text[problem.span.start : problem.span.end] == at
    assert (checked.program is None) == ("valid_ext_list" not in script)


@pytest.mark.parametrize(
    "script",
    [
        'if header :list "subject" ":a" { stop; }',
        'redirect :list ":a";',
        'if valid_ext_list ":a" { stop; }',
    ],
)
def test_unknown_without_require(sieve: Sieve, script: str) -> None:
    assert [problem.hint for problem in sieve.check(script).problems] == [UNKNOWN]


def test_lists_are_recorded_as_mentions(sieve: Sieve) -> None:
    """Not those in valid_ext_list, because the script handles missing ones."""
    script = """require ["extlists", "variables"];
    if header :list "subject" [":a", ":b"] { redirect :list "tag:x.example,2024:c"; }
    if header :list "subject" "${d}" { redirect "e@example.com"; }
    if valid_ext_list ":f" { stop; }"""
    mentions = sieve.program(script).mentions
    assert [(mention.kind, mention.name, mention.place.line) for mention in mentions] == [
        ("list", ":a", 2),
        ("list", ":b", 2),
        ("list", "tag:x.example,2024:c", 2),
    ]


def test_a_fault_is_at_the_tag(sieve: Sieve, lists: MakeHost) -> None:
    script = 'require "extlists";\nif header\n  :list "subject" ":a" { stop; }'
    place = present(fault(sieve.run(script, host=lists())).place)
    assert (place.line, place.column) == (3, 3)


# ---- names

VALID = [
    "tag:example.com,2024:a",
    "ldap://host/ou=a?mail??(x=y)",
    ":addrbook:default",
    "a:b",
    "urn:x-y:%2f",
    ":a",
    "mailto:a@b",
]
INVALID = [
    "",
    ":",
    "a",
    "a:",
    "1a:b",
    "a:b c",
    "a:b#c",
    "a:%2",
    "a:\r\nb",
    "a:b\0",
    "ä:b",
    "a:ä",
    " a:b",
    "a:b ",
    "_a:b",
    "a:<b>",
]


@pytest.mark.parametrize("name", VALID)
def test_valid_names(name: str) -> None:
    assert list_flaw(name) == ""


@pytest.mark.parametrize("name", INVALID)
def test_invalid_names(name: str) -> None:
    assert list_flaw(name)


def test_the_length_of_a_name_is_limited() -> None:
    assert list_flaw("a:" + "b" * 1022) == ""
    assert "1024" in list_flaw("a:" + "b" * 1023)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (":addrbook:default", DEFAULT),
        (DEFAULT, DEFAULT),
        ("URN:IETF:params:sieve:addrbook:default", DEFAULT),
        ("urn:ietf:params:sieve:Addrbook:default", "urn:ietf:params:sieve:Addrbook:default"),
        ("Tag:Example.com,2024:A", "tag:Example.com,2024:A"),
        ("URN:a", "urn:a"),
    ],
)
def test_equivalent_names_have_one_key(name: str, key: str) -> None:
    assert list_key(name) == key


@given(st.text(max_size=20) | st.text(alphabet="urn:aA%2f", max_size=12))
def test_the_key_of_a_valid_name_is_valid_and_its_own_key(name: str) -> None:
    if not list_flaw(name):
        key = list_key(name)
        assert list_flaw(key) == ""
        assert list_key(key) == key
        assert key.isascii()
        assert key.isprintable()
