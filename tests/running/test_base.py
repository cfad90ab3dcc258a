"""RFC 5228: every command and test, its examples, and what must never happen."""

from __future__ import annotations

from typing import Any

import pytest
from support import outcomes
from support.clock import Clock
from support.outcomes import present
from support.sieve import FakeHost, Sieve

from sieveav.limits import Limits
from sieveav.running.outcome import Outcome
from sieveav.running.questions import Context

# RFC 5228, 1.2
A = """Date: Tue, 1 Apr 1997 09:06:31 -0800 (PST)
From: coyote@desert.example.org
To: roadrunner@acme.example.com
Subject: I have a present for you

Look, I'm sorry about the whole anvil thing, and I really
didn't mean to try and drop it on you from the top of the
cliff.
"""

B = """From: youcouldberich!@reply-by-postal-mail.invalid
Sender: b1ff@de.res.example.com
To: rube@landru.example.com
Date:  Mon, 31 Mar 1997 18:26:10 -0800
Subject: $$$ YOU, TOO, CAN BE A MILLIONAIRE! $$$

YOU MAY HAVE ALREADY WON TEN MILLION DOLLARS, BUT I DOUBT
"""

KEPT = ["implicit keep"]


def message(*fields: str, body: str = "body\n") -> str:
    return "".join(f"{field}\n" for field in fields) + "\n" + body


# ---- the RFC's examples


@pytest.mark.parametrize(
    ("script", "a", "b"),
    [
        # 2.3
        ("if size :over 100k { # this is a comment\n discard;\n}", KEPT, KEPT),
        (
            "if size :over 100K { /* this is a comment\nthis is still a comment */ discard /* this is a comment\n*/ ;\n}",
            KEPT,
            KEPT,
        ),
        # 2.4.2.1
        (
            'if header :contains ["To", "Cc"] ["me@example.com", "RUBE@landru.example.com"] { discard; }',
            KEPT,
            ["discard"],
        ),
        # 2.4.2.4
        ('require "encoded-character"; if header :contains "Subject" "$${hex:24 24}" { discard; }', KEPT, ["discard"]),
        # 2.5.1
        ('if anyof (not exists ["From", "Date"], header :contains "from" "fool@example.com") { discard; }', KEPT, KEPT),
        # 2.7.3
        ('if header :contains :comparator "i;octet" "Subject" "MILLIONAIRE" { discard; }', KEPT, ["discard"]),
        ('if header :contains :comparator "i;octet" "Subject" "Millionaire" { discard; }', KEPT, KEPT),
        # 2.10.2
        ("if size :over 500K { discard; }", KEPT, KEPT),
        # 3.1
        (
            'require "fileinto"; if header :contains "from" "coyote" { discard; } '
            'elsif header :contains ["subject"] ["$$$"] { discard; } else { fileinto "INBOX"; }',
            ["discard"],
            ["discard"],
        ),
        (
            'if header :contains ["From"] ["coyote"] { redirect "acm@example.com"; } '
            'elsif header :contains "Subject" "$$$" { redirect "postmaster@example.com"; } '
            'else { redirect "field@example.com"; }',
            ["redirect acm@example.com"],
            ["redirect postmaster@example.com"],
        ),
        # 4.1
        (
            'require "fileinto"; if header :contains ["from"] "coyote" { fileinto "INBOX.harassment"; }',
            ["fileinto INBOX.harassment"],
            KEPT,
        ),
        # 4.2
        ('redirect "bart@example.com";', ["redirect bart@example.com"], ["redirect bart@example.com"]),
        # 4.3
        ("if size :under 1M { keep; } else { discard; }", ["keep"], ["keep"]),
        ("if not size :under 1M { discard; }", KEPT, KEPT),
        # 4.4
        ('if header :contains ["from"] ["coyote@desert.example.org"] { discard; }', ["discard"], KEPT),
        # 5.1
        ('if address :is :all "from" "coyote@desert.example.org" { discard; }', ["discard"], KEPT),
        # 5.5
        ('if not exists ["From","Date"] { discard; }', KEPT, KEPT),
    ],
)
def test_the_examples(sieve: Sieve, script: str, a: list[str], b: list[str]) -> None:
    assert sieve.problems(script) == []
    assert sieve.actions(script, A) == a
    assert sieve.actions(script, B) == b


EXTENDED = """
    #
    # Example Sieve Filter
    # Declare any optional features or extension used by the script
    #
    require ["fileinto"];

    if header :is "Sender" "owner-ietf-mta-filters@imc.org"
            {
            fileinto "filter";  # move to "filter" mailbox
            }
    #
    # Keep all messages to or from people in my company
    #
    elsif address :DOMAIN :is ["From", "To"] "example.com"
            {
            keep;               # keep in "In" mailbox
            }
    elsif anyof (NOT address :all :contains
                   ["To", "Cc", "Bcc"] "me@example.com",
                 header :matches "subject"
                   ["*make*money*fast*", "*university*dipl*mas*"])
            {
            fileinto "spam";   # move to "spam" mailbox
            }
    else
            {
            # Move all other (non-company) mail to "personal"
            # mailbox.
            fileinto "personal";
            }
"""


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        (["Sender: owner-ietf-mta-filters@imc.org", "From: x@example.com"], "fileinto filter"),
        (["From: Tim <tim@EXAMPLE.com>"], "keep"),
        (["From: a@b.org", "To: b@c.org"], "fileinto spam"),
        (["From: a@b.org", "Cc: me@example.com.example", "Subject: Make your MONEY now fast!"], "fileinto spam"),
        (["From: a@b.org", "Cc: me@example.com.example", "Subject: a University that gives diplomas"], "fileinto spam"),
        (["From: a@b.org", "Bcc: <me@example.com.example>", "Subject: hello"], "fileinto personal"),
    ],
)
def test_the_extended_example(sieve: Sieve, fields: list[str], action: str) -> None:
    assert sieve.problems(EXTENDED) == []
    assert sieve.actions(EXTENDED, message(*fields)) == [action]


def test_anyof_and_allof(sieve: Sieve) -> None:
    for one in ("true", "false"):
        for other in ("true", "false"):
            assert sieve.holds(f"allof ({one}, {other})") is (one == other == "true")
            assert sieve.holds(f"anyof ({one}, {other})") is ("true" in (one, other))
    assert sieve.holds("not false")
    assert not sieve.holds("not true")
    assert sieve.holds("not not not anyof (false, allof (true, false))")


def test_tests_after_the_deciding_one_are_not_evaluated(sieve: Sieve, fake_host: type[FakeHost]) -> None:
    host = fake_host()
    asks = 'mailboxexists "x"'
    script = f'require "mailbox"; if anyof (true, {asks}) {{ }} if allof (false, {asks}) {{ }} if true {{ }} elsif {asks} {{ }}'
    sieve.run(script, host=host)
    assert host.asked == []
    sieve.run(f'require "mailbox"; if anyof (false, {asks}) {{ }}', host=host)
    assert len(host.asked) == 1


# ---- if and stop


@pytest.mark.parametrize(
    ("holds", "taken"),
    [((True, True), "a"), ((True, False), "a"), ((False, True), "b"), ((False, False), "c")],
)
def test_one_arm_runs(sieve: Sieve, holds: tuple[bool, bool], taken: str) -> None:
    first, second = (str(value).lower() for value in holds)
    script = f"""require "fileinto"; if {first} {{ fileinto "a"; }} elsif {second} {{ fileinto "b"; }}
        else {{ fileinto "c"; }}"""
    assert sieve.actions(script) == [f"fileinto {taken}"]
    assert sieve.actions(script, tracing=True) == [f"fileinto {taken}"]


def test_without_else_no_arm_may_run(sieve: Sieve) -> None:
    assert sieve.actions("if false { discard; } elsif false { discard; }") == KEPT


def test_a_second_if_is_evaluated_again(sieve: Sieve) -> None:
    assert sieve.actions('require "fileinto"; if true { fileinto "a"; } if true { fileinto "b"; }') == [
        "fileinto a",
        "fileinto b",
    ]


def test_many_arms(sieve: Sieve) -> None:
    arms = " ".join(f'elsif header "subject" "{i}" {{ redirect "{i}@example.com"; }}' for i in range(2000))
    assert sieve.actions(f"if false {{ }} {arms}", "Subject: 1999\n\n") == ["redirect 1999@example.com"]


def test_deep_blocks_and_tests(sieve: Sieve) -> None:
    assert sieve.actions("if true { " * 31 + "discard; " + "} " * 31) == ["discard"]
    assert sieve.holds("not " * 30 + "true")
    assert sieve.holds("anyof (false, " * 15 + "true" + ")" * 15)
    assert sieve.holds("not " * 30 + "true", tracing=True)


def test_stop(sieve: Sieve) -> None:
    assert sieve.actions("stop; discard;") == KEPT
    assert sieve.actions("discard; stop; keep;") == ["discard"]
    assert sieve.actions("if true { if true { stop; } } discard;") == KEPT


# ---- the implicit keep, RFC 5228, 2.10.2


@pytest.mark.parametrize(
    ("script", "actions"),
    [
        ("", KEPT),
        ("keep;", ["keep"]),
        ("discard;", ["discard"]),
        ("discard; keep;", ["discard", "keep"]),
        ("keep; discard;", ["keep", "discard"]),
        ('fileinto "a";', ["fileinto a"]),
        ('fileinto "a"; keep;', ["fileinto a", "keep"]),
        ('discard; fileinto "a";', ["discard", "fileinto a"]),
        ('fileinto "a"; fileinto "b";', ["fileinto a", "fileinto b"]),
        ('redirect "a@b";', ["redirect a@b"]),
        ('redirect "a@b"; keep;', ["redirect a@b", "keep"]),
        ('redirect "a@b"; fileinto "c";', ["redirect a@b", "fileinto c"]),
        # 2.10.3: not an error, and once
        ("keep; keep;", ["keep"]),
        ('fileinto "a"; fileinto "b"; fileinto "a";', ["fileinto a", "fileinto b"]),
        ("discard; discard;", ["discard"]),
        ('redirect "a@b"; redirect "a@b";', ["redirect a@b"]),
    ],
)
def test_keeping(sieve: Sieve, script: str, actions: list[str]) -> None:
    assert sieve.actions(f'require "fileinto"; {script}') == actions


def test_the_places_of_actions(sieve: Sieve) -> None:
    outcome = sieve.run('require "fileinto";\nif true {\n  fileinto "a"; keep;\n}')
    assert [action.as_json()["at"] for action in outcome.actions] == [
        {"path": "test.sieve", "line": 3, "column": 3},
        {"path": "test.sieve", "line": 3, "column": 17},
    ]


# ---- headers, RFC 5228, 2.4.2.2 and 5.7


@pytest.mark.parametrize(
    ("fields", "test", "holds"),
    [
        (["X-Caffeine: C8H10N4O2"], 'header :is ["X-Caffeine"] [""]', False),
        (["X-Caffeine: C8H10N4O2"], 'header :contains ["X-Caffeine"] [""]', True),
        ([], 'header :contains "X-Caffeine" ""', False),
        ([], 'not header :matches "Cc" "?*"', True),
        (["Cc:  \t "], 'not header :matches "Cc" "?*"', True),
        (["Cc: a"], 'not header :matches "Cc" "?*"', False),
        (["s: a"], 'header "S" "a"', True),
        (["s:   a b \t "], 'header "s" "a b"', True),
        (["s : a"], 'header "s" "a"', True),
        (["s:a"], 'header "s" "a"', True),
        (["s: a", " b", "\tc"], 'header "s" "a b\tc"', True),
        (["s:", " a"], 'header "s" "a"', True),
        (["s: a", "s: b"], 'header "s" "b"', True),
        (["s: a", "t: b"], 'header ["t", "x"] ["b", "y"]', True),
        (["s: a", "t: b"], 'header ["x", "y"] ["a", "b"]', False),
        # RFC 2047
        (["s: =?utf-8?q?gr=C3=BCn?="], 'header "s" "grün"', True),
        (["s: =?UTF-8?B?Z3LDvG4=?="], 'header "s" "grün"', True),
        (["s: =?iso-8859-1?q?gr=FCn?= tea"], 'header "s" "grün tea"', True),
        (["s: =?us-ascii?q?a?= =?us-ascii?q?b?="], 'header "s" "ab"', True),
        (["s: =?utf-8?q?a?=", " =?utf-8?q?b?="], 'header "s" "ab"', True),
        (["s: =?x-unknown?q?a?="], 'header "s" "=?x-unknown?q?a?="', True),
        (["s: =?utf-8?q?a=00b?= c"], 'header :contains "s" "b c"', True),
        (["s: =?utf-8?q?_a_?="], 'header "s" " a "', True),
        (["s: grün"], 'header "s" "grün"', True),
        # names that no field has are no error
        (["s: a"], 'header "s:" "a"', False),
        (["s: a"], 'header " s " "a"', True),
        (["s: a"], 'header "s t" "a"', False),
        (["s: a"], 'header "" "a"', False),
        (["s: a"], 'header "\r\ns" "a"', True),
        (["s: a"], 'header "ü" "a"', False),
        (["s: a"], 'exists ["s:", "s"]', False),
        # exists
        (["s: a", "t:"], 'exists ["S", "T"]', True),
        (["s: a"], 'exists ["s", "t"]', False),
        (["s: a"], 'exists "s"', True),
        ([" s: folded onto nothing", "t: a"], 'exists "s"', False),
    ],
)
def test_headers(sieve: Sieve, fields: list[str], test: str, holds: bool) -> None:
    assert sieve.holds(test, message(*fields)) is holds
    assert sieve.holds(test, message(*fields).replace("\n", "\r\n")) is holds


def test_a_header_field_in_the_body_does_not_count(sieve: Sieve) -> None:
    assert not sieve.holds('exists "x"', "s: a\n\nx: b\n")
    assert sieve.holds('exists "x"', "s: a\nx: b")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"\r\n\r\n",
        b"\0\0\0",
        b"no header at all",
        b":\n:\n",
        b"a" * 100_000,
        b"s: \xff\xfe\n\n",
        b"\xff: a\n",
    ],
)
def test_odd_messages(sieve: Sieve, raw: bytes) -> None:
    script = 'if anyof (header "s" "x", address "from" "x", exists "t", size :over 1G) { discard; }'
    assert sieve.actions(script, raw) == KEPT


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ("size :over 3999", True),
        ("size :over 4000", False),
        ("size :under 4000", False),
        ("size :under 4001", True),
        ("size :over 0", True),
        ("size :under 4K", True),
        ("size :over 3K", True),
        ("size :over 4G", False),
    ],
)
def test_size(sieve: Sieve, test: str, holds: bool) -> None:
    assert sieve.holds(test, b"s: a\r\n\r\n" + b"x" * 3992) is holds


# ---- addresses, RFC 5228, 2.7.4 and 5.1


@pytest.mark.parametrize(
    ("field", "test", "holds"),
    [
        ("From: Tim <tim@Example.com>", 'address "from" "TIM@example.COM"', True),
        ("From: Tim <tim@Example.com>", 'address :comparator "i;octet" "from" "tim@example.com"', False),
        ("From: Tim <tim@Example.com>", 'address :all :is "from" "tim@example.com"', True),
        ("From: Tim <tim@Example.com>", 'address :localpart "from" "tim"', True),
        ("From: Tim <tim@Example.com>", 'address :domain "from" "example.com"', True),
        ("From: Tim <tim@Example.com>", 'address :domain "from" "tim"', False),
        ("From: Tim <tim@Example.com>", 'address :contains "from" "Tim <"', False),
        ("From: Tim <tim@Example.com>", 'address :matches :domain "from" "*.com"', True),
        ("To: a@b, c@d", 'address "to" "c@d"', True),
        ("To: a@b, c@d", 'address "to" "a@b, c@d"', False),
        ("Cc: a@b", 'address ["to", "cc"] ["x@y", "a@b"]', True),
        ("To: friends: a@b, c@d;", 'address "to" "c@d"', True),
        ("To: friends: a@b, c@d;", 'address :contains "to" "friends"', False),
        ("To: undisclosed-recipients:;", 'address :contains "to" ""', False),
        ("To: (tim@x) a@b (comment)", 'address :contains "to" "tim"', False),
        ('To: "a b"@c', 'address :localpart "to" "a b"', True),
        ('To: "a b"@c', 'address :all "to" "\\"a b\\"@c"', True),
        ("To: <@r1,@r2:a@b>", 'address :all "to" "a@b"', True),
        ("To: <@r1,@r2:a@b>", 'address :domain "to" "r2"', False),
        ("To: nobody", 'address :all "to" "nobody"', True),
        ("To: nobody", 'address :localpart "to" "nobody"', False),
        ("To: nobody", 'address :domain :matches "to" "*"', False),
        ("To: a b c@d", 'address :localpart :contains "to" "c"', False),
        ("To: =?utf-8?q?a=40b?= <c@d>", 'address :contains "to" "a"', False),
        ("To: a@b,\n c@d", 'address "to" "c@d"', True),
        ("Resent-To: a@b", 'address "resent-to" "a@b"', True),
        ("Sender: a@b", 'not address "from" "a@b"', True),
        ("From: a+b@c", 'address :localpart "from" "a+b"', True),
    ],
)
def test_addresses(sieve: Sieve, field: str, test: str, holds: bool) -> None:
    assert sieve.holds(test, message(field)) is holds


@pytest.mark.parametrize(
    "name", ["From", "To", "Cc", "Bcc", "Sender", "Resent-From", "Resent-To", "reply-to", "RESENT-CC"]
)
def test_fields_of_addresses(sieve: Sieve, name: str) -> None:
    assert sieve.holds(f'address "{name}" "a@b"', f"{name}: a@b\n\n")


# ---- faults, RFC 5228, 2.10.6


def test_a_fault_leaves_an_implicit_keep_and_nothing_else(sieve: Sieve) -> None:
    redirects = "".join(f'redirect "{i}@example.com";\n' for i in range(5))
    outcome = sieve.run(f'require "fileinto";\nfileinto "a"; discard;\n{redirects}')
    assert [action.as_json() for action in outcome.actions] == [{"action": "keep", "flags": [], "implicit": True}]
    fault = outcomes.fault(outcome)
    assert fault.message == "more than 4 redirects"
    assert present(fault.place).as_json() == {"path": "test.sieve", "line": 7, "column": 1}


def test_redirects_are_limited(sieve: Sieve) -> None:
    four = "".join(f'redirect "{i}@example.com";' for i in range(4))
    assert len(sieve.actions(four)) == 4
    assert sieve.actions(f'{four} redirect "0@example.com";') == sieve.actions(four)
    assert sieve.actions(four, limits=Limits(redirects=3)) == [*KEPT, "fault: more than 3 redirects"]
    assert sieve.actions('redirect "a@b";', limits=Limits(redirects=0)) == [*KEPT, "fault: more than 0 redirects"]


def test_actions_are_limited(sieve: Sieve) -> None:
    files = 'require "fileinto";' + "".join(f'fileinto "{i}";' for i in range(32))
    assert len(sieve.actions(files)) == 32
    assert len(sieve.actions(f'{files} fileinto "3";')) == 32
    assert sieve.actions(f'{files} fileinto "x";') == [*KEPT, "fault: more than 32 actions"]
    assert sieve.actions("keep;" * 100) == ["keep"]


def test_a_mail_loop_is_detected(sieve: Sieve) -> None:
    fields = ["Received: from a by b"] * 50
    assert sieve.actions('redirect "a@b";', message(*fields)) == ["redirect a@b"]
    (kept, fault) = sieve.actions('redirect "a@b";', message(*fields, "received: from c by d"))
    assert kept == "implicit keep"
    assert fault == "fault: mail loop detected: 51 Received fields"


def test_steps_are_limited(sieve: Sieve) -> None:
    script = "if true { keep; } " * 10
    assert sieve.actions(script, limits=Limits(steps=30)) == ["keep"]
    assert sieve.actions(script, limits=Limits(steps=29)) == [*KEPT, "fault: step limit exceeded (29)"]


MANY = "".join(f"s: {'a' * 60}\n" for _ in range(20)) + "\n"


@pytest.mark.parametrize(
    ("match", "key"),
    [
        (":contains", "{}b"),
        (":matches", "*a{}?b*"),
        (":matches", "*a?a?a?a{}?b*"),
        (":matches", "a*a{}*b"),
        (":matches", "*ä{}?*"),
    ],
)
@pytest.mark.parametrize("bound", ["", 'require "variables"; if string "${1}" "x" { }'])
def test_the_clock_runs_in_the_matchers(
    sieve: Sieve, monkeypatch: pytest.MonkeyPatch, match: str, key: str, bound: str
) -> None:
    """20 values and 1,500 keys: 30,000 comparisons, of which few are made between two looks at the clock."""
    keys = ", ".join(f'"{key.format(i)}"' for i in range(1_500))
    clock = Clock(monkeypatch, step=1)
    script = f'{bound} if header {match} "s" [{keys}] {{ discard; }}'
    assert sieve.actions(script, MANY, limits=Limits(wall_clock=1_000)) == [
        *KEPT,
        "fault: time limit exceeded (1000 s)",
    ]
    assert clock.looks < 1_010


def test_the_clock_runs_from_test_to_test(sieve: Sieve, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = ", ".join(f'header :contains "s" "b{i}"' for i in range(3_000))
    clock = Clock(monkeypatch, step=1)
    script = f"if anyof ({tests}) {{ discard; }}"
    assert sieve.actions(script, MANY, limits=Limits(wall_clock=2_900)) == [
        *KEPT,
        "fault: time limit exceeded (2900 s)",
    ]
    assert clock.looks < 2_910


def test_waiting_for_an_answer_does_not_count(sieve: Sieve, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    class Slow(FakeHost):
        def answer(self, question: Any) -> Any:
            clock.pass_by(100)
            return super().answer(question)

    script = 'require "mailbox"; if mailboxexists ["INBOX", "INBOX"] { if true { discard; } }'
    assert sieve.actions(script, host=Slow(), limits=Limits(wall_clock=1)) == ["discard"]


# ---- the same again


def test_two_runs_are_equal(sieve: Sieve) -> None:
    script = 'require "fileinto"; if header :matches "subject" "*" { fileinto "a"; keep; }'
    for tracing in (False, True):
        assert sieve.run(script, A, tracing=tracing) == sieve.run(script, A, tracing=tracing)


def test_a_program_has_no_state(sieve: Sieve) -> None:
    script = 'require "fileinto"; if header "subject" "a" { fileinto "a"; } else { fileinto "b"; }'
    for subject, taken in (("a", "a"), ("b", "b"), ("a", "a")):
        assert sieve.actions(script, message(f"Subject: {subject}")) == [f"fileinto {taken}"]


def test_contexts_are_independent() -> None:
    context = Context({"a": "1"}, {"b": "2"})
    mine = context.copy()
    mine.message["a"] = "x"
    mine.connection["c"] = "y"
    del mine.connection["b"]
    assert (context.get("a"), context.get("b"), context.get("c")) == ("1", "2", None)
    assert (mine.get("a"), mine.get("b"), mine.get("c")) == ("x", None, "y")
    assert mine.changed_since(context) == {"a": "x", "c": "y", "b": None}


def test_an_earlier_outcome_is_not_changed(sieve: Sieve) -> None:
    before = Outcome()
    sieve.run("discard;", before=before)
    assert before == Outcome()
