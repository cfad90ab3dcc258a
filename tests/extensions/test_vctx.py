"""vctx: context variables in tests, actions and strings."""

from __future__ import annotations

import pytest
from support.sieve import Sieve

from sieveav.running.questions import Context

REQUIRE = 'require ["vctx", "relational", "comparator-i;ascii-numeric", "variables", "fileinto"];'


@pytest.fixture
def context() -> Context:
    return Context(
        message={"both": "of the message", "virus": "error: no answer", "empty": "", "a-b.c": "odd", "Case": "upper"},
        connection={"both": "of the connection", "peer": "192.0.2.1"},
    )


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ('vctx "both" "of the message"', True),  # the message's comes first
        ('vctx "both" "of the connection"', False),
        ('vctx_mess "both" "of the message"', True),
        ('vctx_conn "both" "of the connection"', True),
        ('vctx "peer" "192.0.2.1"', True),
        ('vctx_mess "peer" "192.0.2.1"', False),
        ('vctx_conn "peer" ["a", "192.0.2.1"]', True),
        ('vctx :contains "virus" "error"', True),
        ('vctx :contains "virus" "ERROR"', True),
        ('vctx :contains :comparator "i;octet" "virus" "ERROR"', False),
        ('vctx :matches "virus" "error: *"', True),
        ('vctx :contains "virus" ""', True),
        ('vctx :contains "empty" ""', True),
        ('vctx :is "empty" ""', True),
        # a variable that is not set matches nothing
        ('vctx :contains "unset" ""', False),
        ('vctx :is "unset" ""', False),
        ('vctx :matches "unset" "*"', False),
        ('vctx_mess :contains "unset" ""', False),
        ('vctx_conn :contains "unset" ""', False),
        ('vctx_conn :contains "virus" ""', False),
        # names are case-sensitive, and any text
        ('vctx "Case" "upper"', True),
        ('vctx :contains "case" ""', False),
        ('vctx "a-b.c" "odd"', True),
        # relational
        ('vctx :count "eq" :comparator "i;ascii-numeric" "both" "1"', True),
        ('vctx :count "eq" :comparator "i;ascii-numeric" "unset" "0"', True),
        ('vctx :value "gt" :comparator "i;ascii-numeric" "peer" "100"', True),
    ],
)
def test_tests(sieve: Sieve, context: Context, test: str, holds: bool) -> None:
    assert sieve.holds(test, require=REQUIRE, context=context) is holds


@pytest.mark.parametrize(
    ("commands", "test", "holds"),
    [
        ('vctx_mess_set "x" "1";', 'vctx_mess "x" "1"', True),
        ('vctx_mess_set "x" "1";', 'vctx_conn :contains "x" ""', False),
        ('vctx_conn_set "x" "1";', 'vctx_conn "x" "1"', True),
        ('vctx_conn_set "x" "1";', 'vctx "x" "1"', True),
        ('vctx_mess_set "x" "1"; vctx_mess_set "x" "2";', 'vctx "x" "2"', True),
        ('vctx_mess_set "x" "1"; vctx_mess_delete "x";', 'vctx :contains "x" ""', False),
        ('vctx_mess_delete "x";', 'vctx :contains "x" ""', False),
        ('vctx_mess_delete "both";', 'vctx "both" "of the connection"', True),
        ('vctx_conn_delete "both";', 'vctx "both" "of the message"', True),
        ('vctx_mess_delete "BOTH";', 'vctx "both" "of the message"', True),
        ('vctx_mess_set "x" "";', 'vctx :contains "x" ""', True),
    ],
)
def test_setting_and_deleting(sieve: Sieve, context: Context, commands: str, test: str, holds: bool) -> None:
    script = f"{REQUIRE} {commands} if {test} {{ discard; }}"
    assert sieve.actions(script, context=context) == (["discard"] if holds else ["implicit keep"])


def test_control_characters_are_removed_from_values(sieve: Sieve) -> None:
    context = Context()
    script = f'{REQUIRE} if header :matches "x" "*" {{ vctx_mess_set "x" "${{1}}"; vctx_conn_set "x" "${{1}}"; }}'
    sieve.run(script, "X: a\x00b\x1b[0mc\rd\u202ee\n\n", context=context)
    assert context.message == context.connection == {"x": "ab[0mcde"}


def test_a_long_value_is_truncated(sieve: Sieve) -> None:
    context = Context()
    sieve.run(f'{REQUIRE} vctx_mess_set "x" "{"a" * 5000}"; vctx_conn_set "x" "{"b" * 4096}";', context=context)
    assert context.message["x"] == "a" * 4096
    assert context.connection["x"] == "b" * 4096


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mailfrom", "rcptto", "data", "spool", "each_rcpt"])
def test_every_phase(sieve: Sieve, phase: str) -> None:
    script = """require "vctx"; vctx_conn_set "a" "b"; vctx_conn_delete "a"; vctx_mess_set "a" "b"; vctx_mess_delete "a";
    if anyof (vctx "a" "b", vctx_mess "a" "b", vctx_conn "a" "b") { stop; }"""
    assert sieve.rules(script, phase=phase) == []


@pytest.mark.parametrize(
    ("script", "rules"),
    [
        ('if vctx "a" { stop; }', ["argument-missing"]),
        ('if vctx ["a", "b"] "c" { stop; }', ["argument-type"]),
        ('if vctx :localpart "a" "b" { stop; }', ["tag-unknown"]),
        ('if vctx :contains :is "a" "b" { stop; }', ["tag-repeated"]),
        ('vctx_mess_set "a";', ["argument-missing"]),
        ('vctx_mess_set "a" "b" "c";', ["argument-surplus"]),
        ("vctx_mess_delete 5;", ["argument-type"]),
        ('vctx_conn_delete :x "a";', ["tag-unknown"]),
        ('vctx "a" "b";', ["word-unknown"]),
        ('if vctx_mess_set "a" "b" { stop; }', ["word-unknown"]),
    ],
)
def test_problems(sieve: Sieve, script: str, rules: list[str]) -> None:
    assert sieve.rules(REQUIRE + script) == rules


def test_required_but_in_momentums_dialect(sieve: Sieve) -> None:
    script = 'if vctx "a" "b" { vctx_mess_set "a" "c"; }'
    assert sieve.rules(script) == ["word-unknown", "word-unknown"]
    assert sieve.rules(script, dialect="momentum") == []


# ---- in strings


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("${vctx.both}", "of the message"),
        ("${vctx_mess.both}", "of the message"),
        ("${vctx_conn.both}", "of the connection"),
        ("${vctx.peer}/${vctx_mess.peer}x", "192.0.2.1/x"),
        ("${vctx.a_b_c}", "odd"),  # _ for characters that identifiers cannot contain
        ("${VCTX.Case}", "upper"),
        ("a${vctx.unset}b", "ab"),
        ("%{vctx_mess:both}", "%{vctx_mess:both}"),  # macros are only for Momentum's dialect
    ],
)
def test_namespaces(sieve: Sieve, context: Context, text: str, mailbox: str) -> None:
    assert sieve.actions(f'{REQUIRE} fileinto "{text}";', context=context) == [f"fileinto {mailbox}"]


def test_a_namespace_without_variables_is_plain_text(sieve: Sieve, context: Context) -> None:
    script = 'require ["vctx", "fileinto"]; fileinto "${vctx.both}";'
    assert sieve.actions(script, context=context) == ["fileinto ${vctx.both}"]


def test_a_namespace_that_is_not_required(sieve: Sieve) -> None:
    (problem,) = sieve.check('require ["variables", "fileinto"]; fileinto "${vctx.both}";').problems
    assert problem.hint == 'write: require "vctx";'


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("%{vctx_mess:both}", "of the message"),
        ("%{vctx_conn:both}!", "of the connection!"),
        ("a%{vctx_mess:unset}b", "ab"),
        ("%{vctx_mess:a-b.c} %{vctx_conn:peer}", "odd 192.0.2.1"),
        ("%{vctx_mess:peer}x", "x"),  # of the message alone
        ("%{vctx:both}", "%{vctx:both}"),
        ("%{vctx_mess:}", "%{vctx_mess:}"),
        ("100% {vctx_mess:both}", "100% {vctx_mess:both}"),
        ("${vctx.both}", "${vctx.both}"),  # references need require "variables"
    ],
)
def test_macros_in_momentums_dialect(sieve: Sieve, context: Context, text: str, mailbox: str) -> None:
    assert sieve.actions(f'fileinto "{text}";', context=context, dialect="momentum") == [f"fileinto {mailbox}"]


def test_macros_and_variables_together(sieve: Sieve, context: Context) -> None:
    script = 'require "variables"; set "x" "1"; fileinto "%{vctx_mess:both} ${x} ${vctx.peer}";'
    assert sieve.actions(script, context=context, dialect="momentum") == ["fileinto of the message 1 192.0.2.1"]


def test_a_value_is_not_expanded_again(sieve: Sieve) -> None:
    """A virus name that looks like a macro or a variable is text."""
    context = Context(message={"v": "%{vctx_mess:secret} ${vctx.secret}", "secret": "s"})
    script = 'require "variables"; fileinto "%{vctx_mess:v}"; fileinto "${vctx.v}";'
    expected = "fileinto %{vctx_mess:secret} ${vctx.secret}"
    assert sieve.actions(script, context=context, dialect="momentum") == [expected]
