"""RFC 5232."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sieve import FakeHost, Sieve

from sieveav.running.executing import execute
from sieveav.running.message import Message
from sieveav.running.outcome import UNDECIDED
from sieveav.running.questions import Context, Envelope
from sieveav.running.run import Case

imap4flags: Any = import_module("sieveav.extensions.imap4flags")

I = 'require ["imap4flags", "fileinto", "variables", "relational", "comparator-i;ascii-numeric", "mailbox"]; '  # noqa: E741


def stored(sieve: Sieve, script: str, **more: Any) -> list[str]:
    """Where the message goes and with which flags."""
    found = []
    for action in sieve.run(I + script, **more).actions:
        (store,) = action.effects
        found.append(" ".join([store.mailbox or "INBOX", *store.flags]))
    return found


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
        # 3: the last flags are those a message gets that is put into a mailbox twice
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
def test_flags_of_what_is_stored(sieve: Sieve, script: str, actions: list[str]) -> None:
    assert stored(sieve, script) == actions


def test_a_mailbox_to_be_created_is_created_whoever_comes_last(sieve: Sieve) -> None:
    (action,) = sieve.run(I + 'fileinto :create :flags "a" "x"; fileinto "x";').actions
    assert action.effects[0].create


def test_the_implicit_keep_of_a_script_without_the_extension_has_no_flags(sieve: Sieve) -> None:
    assert sieve.run("").actions[0].effects[0].flags == ()


def test_the_implicit_keep_after_a_stop_and_in_json(sieve: Sieve) -> None:
    (action,) = sieve.run(I + 'addflag "a"; stop;').actions
    assert action.as_json() == {"action": "keep", "flags": ["a"], "implicit": True}


def test_copy_leaves_a_flagged_keep(sieve: Sieve) -> None:
    script = I.replace('"mailbox"', '"copy"') + 'addflag "a"; fileinto :copy :flags "b" "x";'
    assert [action.effects[0].flags for action in sieve.run(script).actions] == [("b",), ("a",)]


def test_a_fault_leaves_a_plain_keep(sieve: Sieve) -> None:
    outcome = sieve.run(I + 'addflag "a"; set "none" ""; fileinto "${none}";')
    assert outcome.fault is not None
    assert outcome.actions[0].effects[0].flags == ()


@pytest.mark.parametrize(
    ("second", "flags"),
    [
        ("", ("a",)),  # it says nothing of flags
        (I, ("a",)),
        (I + 'addflag "b";', ("a", "b")),  # it goes on with the flags that were gathered before it
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
def test_flags_gathered_by_an_earlier_script(
    sieve: Sieve, fake_host: type[FakeHost], second: str, flags: tuple[str, ...]
) -> None:
    case = Case(Message(b"\n"), Envelope(), fake_host(), Context())
    outcome = UNDECIDED
    for script in (I + 'addflag "a";', second):
        outcome = execute(sieve.check(script).program, case, outcome)
    assert [action.effects[0].flags for action in outcome.with_implicit_keep().actions] == [flags]  # type: ignore[union-attr]


def test_a_later_script_that_files_to_the_same_mailbox_says_the_flags(sieve: Sieve) -> None:
    first = sieve.run(I.replace('"mailbox"', '"copy"') + 'fileinto :copy :flags "a" "x";')
    outcome = sieve.run(I + 'fileinto :flags "b" "x";', before=first)
    assert [action.effects[0].flags for action in outcome.actions] == [("b",)]


# ---- 2: what is a flag


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("\\\\Recent", '"\\Recent" cannot be set and is ignored'),
        ("\\\\foo", '"\\foo" is no flag and is ignored'),
        ("\\\\", '"\\" is no flag and is ignored'),
        ("a(b", '"a(b" is no flag and is ignored'),
        ("é", '"é" is no flag and is ignored'),
        ("a\tb", '"a?b" is no flag and is ignored'),
        ("50%", '"50%" is no flag and is ignored'),
        ("a]", '"a]" is no flag and is ignored'),
        ("a{", '"a{" is no flag and is ignored'),
    ],
)
def test_what_is_no_flag_is_ignored(sieve: Sieve, flag: str, message: str) -> None:
    checked = sieve.check(f'{I} addflag ["ok", "{flag} $Also"];')
    assert [(p.severity, p.message) for p in checked.problems] == [("warning", message)]
    assert stored(sieve, f'addflag ["ok", "{flag} $Also"];') == ["INBOX ok $Also"]
    assert stored(sieve, f'set "v" "{flag}"; keep :flags ["${{v}}", "ok"];') == ["INBOX ok"]


@given(st.text(max_size=60))
def test_flags_in_any_text(text: str) -> None:
    flags = list(imap4flags.flags_in([text]).values())
    assert list(imap4flags.flags_in([" ".join(flags)]).values()) == flags  # what is left is all flags, each once
    assert all(flag.isascii() and flag.isprintable() for flag in flags)


def test_a_list_of_flags_is_bounded(sieve: Sieve) -> None:
    script = f'addflag "{" ".join(f"flag{i}" for i in range(2000))}";'
    for more in ("", 'addflag "more"; keep;'):
        flags = sieve.run(I + script + more).actions[0].effects[0].flags
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
def test_naming_a_variable_takes_variables(sieve: Sieve, line: str) -> None:
    checked = sieve.check('require "imap4flags"; ' + line)
    assert [(p.rule, p.hint) for p in checked.problems] == [("variables-missing", 'write: require "variables";')]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('addflag "${v}" "a";', "not-constant"),
        ('if hasflag ["a", "${v}"] "a" { stop; }', "not-constant"),
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
    (action,) = sieve.run('require "imap4flags"; addflag "a"; keep;', phase="data").actions
    assert action.effects[0].flags == ("a",)
