"""imap4flags, RFC 5232."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted
from support.outcomes import effects, only
from support.sieve import FakeHost, Sieve

from sieveav.running.effects import Store
from sieveav.running.executing import execute
from sieveav.running.message import Message
from sieveav.running.outcome import UNDECIDED
from sieveav.running.questions import Context, Envelope
from sieveav.running.run import Case

imap4flags: Any = import_module("sieveav.extensions.imap4flags")

I = 'require ["imap4flags", "fileinto", "variables", "relational", "comparator-i;ascii-numeric", "mailbox"]; '  # noqa: E741


def stored(sieve: Sieve, script: str, **more: Any) -> list[str]:
    """The mailboxes where the message is stored, with the flags."""
    stores = effects(sieve.run(I + script, **more), Store)
    return [" ".join([store.mailbox or "INBOX", *store.flags]) for store in stores]


@pytest.mark.parametrize(
    ("script", "actions"),
    [
        ("", ["INBOX"]),
        (r'setflag "\\Deleted";', [r"INBOX \Deleted"]),
        (r'setflag "\\DELETED";', [r"INBOX \Deleted"]),
        (r'setflag ["a", "B"]; setflag "c";', ["INBOX c"]),
        (r'addflag "a"; addflag ["b", "A"];', ["INBOX a b"]),
        (r'addflag "  a   b  ";', ["INBOX a b"]),
        (r'addflag ["a b", "", "b c"];', ["INBOX a b c"]),
        (r'addflag ["a", "b"]; removeflag "B"; removeflag ["", "none"];', ["INBOX a"]),
        (r'addflag ["a", "b"]; removeflag "a b";', ["INBOX"]),
        (r'addflag "a"; setflag "";', ["INBOX"]),
        (r'addflag "a"; keep;', ["INBOX a"]),
        (r'addflag "a"; keep; addflag "b";', ["INBOX a"]),
        (r'addflag "a"; keep :flags "b";', ["INBOX b"]),
        (r'addflag "a"; keep :flags "";', ["INBOX"]),
        (r'addflag "a"; fileinto "x"; addflag "b"; fileinto "y";', ["x a", "y a b"]),
        (r'addflag "a"; fileinto :flags ["b", "c d"] "x";', ["x b c d"]),
        # 3: stored twice in a mailbox, the message has the last flags
        (r'addflag "a"; fileinto "x"; addflag "b"; fileinto "x";', ["x a b"]),
        (r'fileinto :flags "q" "x"; fileinto "y"; fileinto :flags "r" "x";', ["x r", "y"]),
        (r'keep :flags "a"; keep :flags "b";', ["INBOX b"]),
        (r'fileinto :create :flags "a" "x"; fileinto "x";', ["x"]),
        # 3.1, 3.2: with variables
        (r'setflag "f" "\\Flagged"; fileinto :flags "${f}" "INBOX.From Boss";', [r"INBOX.From Boss \Flagged"]),
        (r'addflag "f" "\\Deleted"; addflag "F" "\\Answered"; keep :flags "${f}";', [r"INBOX \Deleted \Answered"]),
        (r'addflag "f" ["\\Deleted", "\\Answered"]; keep :flags "${f}";', [r"INBOX \Deleted \Answered"]),
        (r'addflag "f" "a"; removeflag "f" "A"; fileinto "x${f}";', ["x"]),
        (r'set "f" "a b a"; removeflag "f" "a"; fileinto "${f}";', ["b"]),
        (r'set "f" "a b a"; addflag "f" "${f} c"; fileinto "${f}";', ["a b c"]),
        (r'addflag "f" "a";', ["INBOX"]),
    ],
)
def test_flags_of_stored_messages(sieve: Sieve, script: str, actions: list[str]) -> None:
    assert stored(sieve, script) == actions


def test_create_applies_even_if_a_later_action_has_no_create(sieve: Sieve) -> None:
    outcome = sieve.run(I + 'fileinto :create :flags "a" "x"; fileinto "x";')
    assert only(effects(outcome, Store)).create


def test_the_implicit_keep_of_a_script_without_the_extension_has_no_flags(sieve: Sieve) -> None:
    assert only(effects(sieve.run(""), Store)).flags == ()


def test_the_implicit_keep_after_a_stop_and_in_json(sieve: Sieve) -> None:
    (action,) = sieve.run(I + 'addflag "a"; stop;').actions
    assert action.as_json() == {"action": "keep", "flags": ["a"], "implicit": True}


def test_copy_leaves_a_flagged_keep(sieve: Sieve) -> None:
    script = I.replace('"mailbox"', '"copy"') + 'addflag "a"; fileinto :copy :flags "b" "x";'
    assert [store.flags for store in effects(sieve.run(script), Store)] == [("b",), ("a",)]


def test_a_fault_leaves_a_plain_keep(sieve: Sieve) -> None:
    outcome = sieve.run(I + 'addflag "a"; set "none" ""; fileinto "${none}";')
    assert outcome.fault is not None
    assert only(effects(outcome, Store)).flags == ()


@pytest.mark.parametrize(
    ("second", "flags"),
    [
        ("", ("a",)),  # without flags
        (I, ("a",)),
        (I + 'addflag "b";', ("a", "b")),  # starts with the flags of the earlier script
        (I + 'setflag "b";', ("b",)),
        (I + 'removeflag "a";', ()),
        (I + 'setflag "";', ()),
        ("keep;", ("a",)),
        (I + "keep;", ("a",)),
        (I + 'keep :flags "b";', ("b",)),
        ('require "fileinto"; fileinto "x";', ("a",)),
        (I + 'fileinto "x";', ("a",)),
        (I + 'fileinto :flags "b" "x";', ("b",)),
        (I + 'if hasflag "a" { addflag "c"; }', ("a", "c")),
    ],
)
def test_flags_of_an_earlier_script(
    sieve: Sieve, fake_host: type[FakeHost], second: str, flags: tuple[str, ...]
) -> None:
    case = Case(Message(b"\n"), Envelope(), fake_host(), Context())
    outcome = UNDECIDED
    for script in (I + 'addflag "a";', second):
        outcome = execute(sieve.program(script), case, outcome)
    assert only(effects(outcome.with_implicit_keep(), Store)).flags == flags


def test_a_later_script_that_files_to_the_same_mailbox_sets_the_flags(sieve: Sieve) -> None:
    first = sieve.run(I.replace('"mailbox"', '"copy"') + 'fileinto :copy :flags "a" "x";')
    outcome = sieve.run(I + 'fileinto :flags "b" "x";', before=first)
    assert only(effects(outcome, Store)).flags == ("b",)


# ---- 2: valid flags


@pytest.mark.parametrize("flag", ["\\\\Recent", "\\\\foo", "\\\\", "a(b", "é", "a\tb", "50%", "a]", "a{"])
def test_invalid_flags_are_ignored(sieve: Sieve, accepted: Accepted, flag: str) -> None:
    script = f'{I} addflag ["ok", "{flag} $Also"];'
    assert [(p.rule, p.severity) for p in sieve.check(script).problems] == [("flag-invalid", "warning")]
    accepted(sieve.texts(script))
    assert stored(sieve, f'addflag ["ok", "{flag} $Also"];') == ["INBOX ok $Also"]
    assert stored(sieve, f'set "v" "{flag}"; keep :flags ["${{v}}", "ok"];') == ["INBOX ok"]


@pytest.mark.parametrize(
    ("script", "count"),
    [
        ('addflag "Seen";', 1),
        ('addflag "\\Seen";', 1),
        ('removeflag ["x", "y FLAGGED", "draft"];', 2),
        ('keep :flags "deleted";', 1),
        ('if hasflag "answered" { stop; }', 1),
        ('addflag ["\\\\Seen", "$Seen", "Seen2", "recent"];', 0),
    ],
)
def test_a_keyword_named_like_a_system_flag(sieve: Sieve, accepted: Accepted, script: str, count: int) -> None:
    """In a script, "\\Seen" with one backslash is the string Seen (RFC 5228, 2.4.2)."""
    checked = sieve.check(I + script)
    assert checked.program is not None
    problems = [problem for problem in checked.problems if problem.rule == "flag-not-system"]
    assert [str(problem.severity) for problem in problems] == ["warning"] * count
    accepted(line for problem in problems for line in (problem.message, problem.hint))


@given(st.text(max_size=60))
def test_flags_in_any_text(text: str) -> None:
    flags = list(imap4flags.flags_in([text]).values())
    assert list(imap4flags.flags_in([" ".join(flags)]).values()) == flags  # only flags are left, each once
    assert all(flag.isascii() and flag.isprintable() for flag in flags)


def test_a_list_of_flags_is_bounded(sieve: Sieve) -> None:
    script = f'addflag "{" ".join(f"flag{i}" for i in range(2000))}";'
    for more in ("", 'addflag "more"; keep;'):
        flags = only(effects(sieve.run(I + script + more), Store)).flags
        assert len(" ".join(flags)) <= imap4flags.FLAGS_LENGTH < len(" ".join(flags)) + 10


# ---- 4: hasflag


@pytest.mark.parametrize(
    ("script", "test", "holds"),
    [
        ('addflag "A B";', 'hasflag :is "b A"', True),
        ('addflag "A B";', 'hasflag ["b", "A"]', True),
        ('addflag "A B";', 'hasflag ["c", "d"]', False),
        ('addflag "A B";', 'hasflag ["c", "b"]', True),
        ('addflag "A B";', 'hasflag :comparator "i;octet" "b"', False),
        ("", 'hasflag "A"', False),
        ("", 'hasflag :contains ""', False),
        ('addflag "A";', 'hasflag ""', False),
        ("MyVar", 'hasflag :contains "MyVar" "Junk"', True),
        ("MyVar", 'hasflag :contains "myvar" "forward"', True),
        ("MyVar", 'hasflag :contains "MyVar" ["label", "forward"]', True),
        ("MyVar", 'hasflag :contains "MyVar" ["junk", "forward"]', True),
        ("MyVar", 'hasflag :contains "MyVar" "junk forward"', True),
        ("MyVar", 'hasflag :contains "MyVar" "forward junk"', True),
        ("MyVar", 'hasflag :contains "MyVar" "label"', False),
        ("MyVar", 'hasflag :contains "MyVar" ["label1", "label2"]', False),
        ("MyVar", 'hasflag :matches "MyVar" "gnus-*"', True),
        ("MyVar", 'hasflag "MyVar" "Junk"', True),
        ("MyVar", 'hasflag "Junk"', False),  # the internal variable
        ('set "a" "A B"; set "b" "B c";', 'hasflag ["none", "b"] "C"', True),
        ('set "a" "A B";', 'hasflag :count "ge" :comparator "i;ascii-numeric" "a" "2"', True),
        ('set "a" "A a B";', 'hasflag :count "eq" :comparator "i;ascii-numeric" "a" "2"', True),
        ('set "a" "A a B"; set "b" "a";', 'hasflag :count "eq" :comparator "i;ascii-numeric" ["a", "b"] "3"', True),
        ("", 'hasflag :count "eq" :comparator "i;ascii-numeric" "0"', True),
        ('addflag "x y";', 'hasflag :count "eq" :comparator "i;ascii-numeric" "2"', True),
    ],
)
def test_hasflag(sieve: Sieve, script: str, test: str, holds: bool) -> None:
    if script == "MyVar":
        script = 'set "MyVar" "NonJunk Junk gnus-forward $Forwarded NotJunk JunkRecorded $Junk $NotJunk";'
    assert sieve.holds(test, require=I + script) is holds


def test_hasflag_sets_match_variables(sieve: Sieve) -> None:
    script = 'addflag "label-Work"; if hasflag :matches "label-*" { fileinto :flags "" "${1}"; }'
    assert stored(sieve, script) == ["Work"]


# ---- problems


@pytest.mark.parametrize(
    "line", ['addflag "v" "a";', 'setflag "v" "a";', 'removeflag "v" "a";', 'if hasflag "v" "a" { stop; }']
)
def test_naming_a_variable_needs_variables(sieve: Sieve, line: str) -> None:
    checked = sieve.check('require "imap4flags"; ' + line)
    assert [(p.rule, p.hint) for p in checked.problems] == [("variables-missing", 'write: require "variables";')]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('addflag "${v}" "a";', "argument-not-constant"),
        ('if hasflag ["a", "${v}"] "a" { stop; }', "argument-not-constant"),
        ('addflag "1" "a";', "variable-name"),
        ('addflag "a.b" "a";', "variable-name"),
        ('if hasflag "é" "a" { stop; }', "variable-name"),
        ("addflag;", "argument-missing"),
        ('addflag "a" "b" "c";', "argument-surplus"),
        ('addflag ["v"] "a";', "argument-type"),
        ('redirect :flags "a" "b@c.example";', "tag-unknown"),
        ("keep :flags;", "argument-type"),
    ],
)
def test_problems(sieve: Sieve, line: str, rule: str) -> None:
    assert sieve.rules(I + line) == [rule]


EXTENDED = r"""
if size :over 1M {
    addflag "MyFlags" "Big";
    if header :is "From" "boss@company.example.com" {
        addflag "MyFlags" "\\Flagged";
    }
    fileinto :flags "${MyFlags}" "Big messages";
}
if header :is "From" "grandma@example.net" {
    addflag "MyFlags" ["\\Answered", "$MDNSent"];
    fileinto :flags "${MyFlags}" "GrandMa";
}
if header :is "Sender" "owner-ietf-mta-filters@example.org" {
    set "MyFlags" "\\Flagged $Work";
    keep :flags "${MyFlags}";
} elsif anyof (address :domain :is ["From", "To"] "company.example.com") {
    keep :flags "${MyFlags}";
} elsif anyof (not address :all :contains ["To", "Cc"] "me@company.example.com",
               header :matches "subject" ["*make*money*fast*", "*university*dipl*mas*"]) {
    removeflag "MyFlags" "\\Flagged";
    fileinto :flags "${MyFlags}" "spam";
} else {
    fileinto :flags "${MyFlags}" "personal";
}
"""


@pytest.mark.parametrize(
    ("message", "actions"),
    [
        ("From: grandma@example.net\n\n", [r"GrandMa \Answered $MDNSent", r"spam \Answered $MDNSent"]),
        ("Sender: owner-ietf-mta-filters@example.org\n\n", [r"INBOX \Flagged $Work"]),
        ("From: boss@company.example.com\n\n" + "x" * (1 << 20), [r"Big messages Big \Flagged", r"INBOX Big \Flagged"]),
        ("From: x@y.example\n\n" + "x" * (1 << 20), ["Big messages Big", "spam Big"]),
    ],
)
def test_the_extended_example(sieve: Sieve, message: str, actions: list[str]) -> None:
    assert stored(sieve, EXTENDED, message=message) == actions


def test_in_a_data_phase(sieve: Sieve) -> None:
    outcome = sieve.run('require "imap4flags"; addflag "a"; keep;', phase="data")
    assert only(effects(outcome, Store)).flags == ("a",)
