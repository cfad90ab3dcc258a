"""Cases in which implementations were found to differ from the RFCs: a section for each."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted
from support.sieve import Sieve
from support.timing import assert_linear

from sieveav.frontends.arguments import UsageError
from sieveav.frontends.reading import address as given_address
from sieveav.language.problems import Severity
from sieveav.running.addresses import envelope, mailboxes, parse_addr_spec
from sieveav.running.base import ADDRESS_FIELDS, OTHER_FIELDS


def field(value: str, name: str = "From") -> str:
    return f"{name}: {value}\n\n"


# ---- actions of an earlier script, and a refusal


def test_an_earlier_script_does_not_conflict_with_a_later_refusal(sieve: Sieve) -> None:
    """draft-degener-sieve-multiscript, 4: an action in a preceding script is compatible with a reject in a later one."""
    before = sieve.run('require ["fileinto", "copy"]; fileinto :copy "Archive";', implicit=False)
    after = sieve.actions('require "reject"; reject "no bills, please";', before=before)
    assert after == ["fileinto Archive", "reject no bills, please"]


def test_within_one_script_a_refusal_still_conflicts(sieve: Sieve) -> None:
    """RFC 5429, 2.4."""
    (keep, fault) = sieve.actions('require ["fileinto", "reject"]; fileinto "Archive"; reject "no";')
    assert keep == "implicit keep"
    assert fault.startswith("fault: ")


# ---- one message is stored in a mailbox once


@pytest.mark.parametrize(
    ("script", "mailbox", "flags"),
    [
        ('keep; fileinto :flags "\\\\Seen" "INBOX";', "INBOX", ["\\Seen"]),  # RFC 5232, 3: the last flags
        ('fileinto :flags "\\\\Seen" "INBOX"; fileinto :flags "\\\\Flagged" "inbox";', "inbox", ["\\Flagged"]),
        ('fileinto "INBOX"; fileinto "inbox";', "inbox", []),  # RFC 3501, 5.1: INBOX in any case is one mailbox
        ('fileinto "a"; fileinto "a";', "a", []),
    ],
)
def test_one_copy_in_one_mailbox(sieve: Sieve, script: str, mailbox: str, flags: list[str]) -> None:
    """RFC 5228, 2.10.3."""
    outcome = sieve.run(f'require ["fileinto", "imap4flags"]; {script}')
    (action,) = [action.as_json() for action in outcome.actions]
    assert (action["mailbox"], action["flags"]) == (mailbox, flags)


# ---- header names in `address`


@pytest.mark.parametrize("name", ["From:", "", " ", "a b", "a:b", "é", "From:x"])
def test_an_invalid_header_name_is_not_an_error(sieve: Sieve, name: str) -> None:
    """RFC 5228, 2.4.2.2: MUST NOT cause an error for syntactically invalid header names in tests."""
    script = f'if address :matches "{name}" "*" {{ discard; }}'
    (problem,) = sieve.check(script).problems
    assert (problem.rule, problem.severity) == ("header-name", Severity.WARNING)
    assert problem.hint == ('write "From"' if name == "From:" else "")
    assert sieve.actions(script) == ["implicit keep"]


@pytest.mark.parametrize(
    "name",
    ["X-Invented", "Subject"],
)
def test_a_field_not_known_to_contain_addresses_is_a_warning(sieve: Sieve, accepted: Accepted, name: str) -> None:
    (problem,) = sieve.check(f'if address ["From", "{name}"] "a" {{ }}').problems
    assert (problem.rule, problem.severity) == ("header-no-address", Severity.WARNING)
    accepted(problem.message)


def test_which_fields_are_looked_at(sieve: Sieve) -> None:
    """RFC 5228, 5.1: MUST restrict the test to headers that contain addresses, SHOULD include any other that does."""
    assert sieve.holds('address "X-Invented" "ann@shop.example"', field("ann@shop.example", "X-Invented"))
    assert not sieve.holds('address "Subject" "ann@shop.example"', field("ann@shop.example", "Subject"))
    assert sieve.holds('address ["Subject", "From"] "ann@shop.example"', field("ann@shop.example"))
    require = 'require "variables"; set "name" "Subject";'
    assert not sieve.holds(
        'address "${name}" "ann@shop.example"', field("ann@shop.example", "Subject"), require=require
    )


NAMES = """X-Complaints-To X-BeenThere X-Original-From X-Report-Abuse-To X-Admin X-Sender Read-Receipt-To
X-Confirm-Reading-To Return-Receipt-Requested Registered-Mail-Reply-Requested-By For-Approval For-Comment For-Handling
X-Envelope-From Envelope-From X-RCPT-To X-Loop List-Subscribe List-Unsubscribe Author
From To Cc Bcc Sender Resent-From Resent-To Reply-To""".split()


@pytest.mark.parametrize("name", NAMES)
def test_fields_with_addresses(sieve: Sieve, name: str) -> None:
    test = f'address :domain "{name}" "shop.example"'
    assert sieve.rules(f"if {test} {{ }}") == []
    assert sieve.holds(test, field("Ann <ann@shop.example>", name))


def test_no_field_is_in_both_tables() -> None:
    assert not ADDRESS_FIELDS & OTHER_FIELDS
    assert {name.lower() for name in ADDRESS_FIELDS | OTHER_FIELDS} == ADDRESS_FIELDS | OTHER_FIELDS


def test_mime_reads_any_field_as_one_of_addresses(sieve: Sieve) -> None:
    """RFC 5703, 4.2."""
    script = 'address :mime "Subject" "ann@shop.example"'
    assert sieve.holds(script, field("ann@shop.example", "Subject"), require='require "mime";')
    assert sieve.rules(f'require "mime"; if {script} {{ }}') == []
    assert sieve.rules('require "mime"; if address :mime "Subject:" "a" { }') == ["header-name"]


# ---- malformed addresses


def no(text: str) -> tuple[str, None, None]:
    return text, None, None


ANN = ("ann@shop.example", "ann", "shop.example")
BOB = ("bob@b.example", "bob", "b.example")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        # they are text, all of it
        ("ann@shop@x.example", [no("ann@shop@x.example")]),
        ("shop@", [no("shop@")]),
        ("@shop.example", [no("@shop.example")]),
        ("shop", [no("shop")]),
        ("ann@shop..example", [no("ann@shop..example")]),
        ("a@shop.example b@x.example", [no("a@shop.example b@x.example")]),
        ("ann@[shop", [no("ann@[shop")]),
        (".@shop.example", [no(".@shop.example")]),
        ("ann@shop.example (never closed", [no("ann@shop.example (never closed")]),
        ('"Ann <ann@shop.example>', [no('"Ann <ann@shop.example>')]),
        ("a\\@shop.example", [no("a\\@shop.example")]),
        ("Ann <ann@shop.example> x", [no("Ann <ann@shop.example> x")]),
        ("<ann@shop.example> <bob@b.example>", [no("<ann@shop.example> <bob@b.example>")]),
        ("ann@shop.example <", [no("ann@shop.example <")]),
        ("Ann <>", [no("Ann <>")]),
        ("ann (x)  shop", [no("ann shop")]),  # RFC 5228, 5.1: never acts on comments
        # with angle brackets, what is meant as the address
        ("Ann <ann@shop.example", [no("ann@shop.example")]),
        ("<<ann@shop.example>>", [no("ann@shop.example")]),
        ("Ann <ann@shop.example>>", [no("ann@shop.example")]),
        ("Ann < < ann@shop.example>", [no("ann@shop.example")]),
        ("Ann <ann>", [no("ann")]),
        ("Ann <ann@shop.example (x) y>", [no("ann@shop.example y")]),
        # a display name is not acted on, but what looks like an address and is in no quotes is seen
        ("bob@b.example <ann@shop.example>", [ANN, no("bob@b.example")]),
        ('"bob@b.example" (c) <ann@shop.example>', [ANN]),
        ("[list] Ann <ann@shop.example>", [ANN]),
        ("bob@b.example <ann", [no("ann"), no("bob@b.example")]),
        # nothing is there
        ("<>", []),
        ("(ann@shop.example)", []),
        (" ", []),
    ],
)
def test_one_malformed_address(value: str, found: list[tuple[str, str | None, str | None]]) -> None:
    """RFC 5228, 2.7.4: not matched by :localpart and :domain."""
    assert [tuple(address) for address in mailboxes(value)] == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("ann@shop.example, bob@b.example", [ANN, BOB]),
        ("x@, bob@b.example", [no("x@"), BOB]),
        ("ann@shop.example, x@", [ANN, no("x@")]),
        ("ann@shop.example, a@b c@d, bob@b.example", [ANN, no("a@b c@d"), BOB]),
        # a quote or bracket that is never closed holds no comma back
        ("Ann <ann@shop.example, Bob <bob@b.example>", [no("ann@shop.example"), BOB]),
        ('"Ann, bob@b.example', [no('"Ann'), BOB]),
        ("ann@[shop, bob@b.example", [no("ann@[shop"), BOB]),
        ("ann (x, bob@b.example", [no("ann (x"), BOB]),
        ("<<ann@shop.example>>, bob@b.example", [no("ann@shop.example"), BOB]),
        ("x\\, bob@b.example", [no("x\\"), BOB]),
        # those that are closed do
        ('"x, y" z, bob@b.example', [no('"x, y" z'), BOB]),
        ("x (a, (b, c)) y, bob@b.example", [no("x y"), BOB]),
        ("(c) <x, y>, bob@b.example", [no("x, y"), BOB]),
        ('"\\", x" <ann@shop.example> (c), bob@b.example', [ANN, BOB]),
        ("ann@[IPv6:::1] (c), bob@b.example", [("ann@[IPv6:::1]", "ann", "[IPv6:::1]"), BOB]),
        # groups
        ("friends (c): ann@shop.example, x@, bob@b.example;", [ANN, no("x@"), BOB]),
        ('"a: b" c: ann@shop.example; x@; d:;, bob@b.example', [ANN, no("x@"), BOB]),
        ("a@b: c, bob@b.example", [no("a@b: c"), BOB]),
        (":ann@shop.example, bob@b.example", [no(":ann@shop.example"), BOB]),
        # right, in forms that are out of fashion (RFC 5322, 4.4)
        (
            'ann . "b c" @ shop . example (x), bob@b.example',
            [('ann."b c"@shop.example', "ann.b c", "shop.example"), BOB],
        ),
        ("x <@a.example, @b.example (c):ann@shop.example>", [ANN]),
        # RFC 2369, 2
        ("<mailto:ann@shop.example?subject=x,y>, <https://b.example/>", [ANN, no("https://b.example/")]),
    ],
)
def test_neighbours(value: str, found: list[tuple[str, str | None, str | None]]) -> None:
    assert [tuple(address) for address in mailboxes(value)] == found


@pytest.mark.parametrize("value", ["ann@shop@x.example", "shop@", "a@shop.example b@x.example", "<<ann@shop.example>>"])
def test_a_malformed_sender_does_not_evade_a_block_list(sieve: Sieve, value: str) -> None:
    assert sieve.holds('address :contains "from" "shop"', field(value))
    assert not sieve.holds('address :domain :matches "from" "*"', field(value))
    assert not sieve.holds('address :localpart :matches "from" "*"', field(value))


def test_a_malformed_address_does_not_count(sieve: Sieve) -> None:
    """RFC 5231, 4.2."""
    require = 'require ["relational", "comparator-i;ascii-numeric"];'
    test = 'address :count "eq" :comparator "i;ascii-numeric" "from" "1"'
    assert sieve.holds(test, field("x@, ann@shop.example, Bob <bob@b.example"), require=require)


ITEMS = ["ann@shop.example", "Ann <ann@shop.example>", "shop@", "a b@c", "<x@y", '"a, b" c', "(d, e) f", "g@h (i)"]


@given(st.lists(st.sampled_from(ITEMS), min_size=1, max_size=6))
def test_an_item_is_read_the_same_whatever_its_neighbours(items: list[str]) -> None:
    expected = [address for item in items for address in mailboxes(item)]
    assert mailboxes(", ".join(items)) == expected


def without_space(text: str) -> str:
    return re.sub(r"[ \t,]", "", text)


@given(st.text("ab@.[]\\ \t,", max_size=40))
def test_nothing_is_dropped_silently(value: str) -> None:
    """All text outside of comments, names and quoted strings is found."""
    assert without_space("".join(address.text for address in mailboxes(value))) == without_space(value)


@given(st.text('ab@.,;:<>()[]"\\ \t\r\n', max_size=40))
def test_an_address_has_both_parts_or_none(value: str) -> None:
    for address in mailboxes(value):
        assert address.text
        assert (address.local is None) == (address.domain is None)
        if address.domain is not None:
            assert address.text.endswith(f"@{address.domain}")
            assert mailboxes(address.text) == [address]
            assert envelope(address.text) == address


@pytest.mark.parametrize(
    "unit",
    [
        "()",
        "(\\",
        "(a",
        '(")',
        "<@a,",
        '<"',
        '\\"',
        "a@b:",
        ":",
        "a..",
        "@a,",
        "@[",
        '"a"."b".',
        "a@b (x), ",
        "<",
        "mailto:",
    ],
)
@pytest.mark.parametrize("prefix", ["", "a@b, (c) ", '"', "<", "("])
def test_hostile_fields_take_linear_time(unit: str, prefix: str) -> None:
    def read(length: int) -> None:
        text = prefix + unit * (length // len(unit))
        mailboxes(text)
        parse_addr_spec(text)
        envelope(text)

    assert_linear(read, 6_000)


# ---- addresses that mail is sent to


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("kim @ home.example", "kim@home.example"),
        ("kim@home.example (Kim)", "kim@home.example"),
        ("Kim (at home) <kim@home.example>", "kim@home.example"),
        ("Kim<kim@ home.example>", "kim@home.example"),
        ("(a (b (c) \\) d)) kim (e) @ (f) home.example (g)", "kim@home.example"),
        ("Kim <(a) kim @ home.example\t> (b)", "kim@home.example"),
        ('"Kim (at home)" <"k (x)"@home.example>', '"k (x)"@home.example'),
        ("(" * 1000 + ")" * 1000 + "kim@home.example", "kim@home.example"),
        ("kim@home.example (never closed", None),
        ("kim@home.example )", None),
        ("kim(x)y@home.example", None),
        ("k im@home.example", None),
        ("kim@home (x).example", None),
        ("(kim@home.example)", None),
        ("kim..x@home.example", None),
        (".kim@home.example", None),
        ("kim.@home.example", None),
        ("Kim <kim@home.example", None),
        ("kim @ home.example, x@y", None),
        ("(x)\r\nkim@home.example\r\nRCPT TO:<b@c>", None),
        ("friends (x): kim@home.example;", None),
        ("(x) <@a.example:kim@home.example>", None),
    ],
)
def test_redirect(sieve: Sieve, text: str, sent: str | None) -> None:
    """RFC 5228, 2.4.2.3; RFC 2822, 3.2.4: comments and white space around the local part and the domain."""
    assert parse_addr_spec(text) == sent
    if "\r" not in text:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        if sent is None:
            assert sieve.rules(f'redirect "{quoted}";') == ["address-invalid"]
        else:
            assert sieve.actions(f'redirect "{quoted}";') == [f"redirect {sent}"]


def test_two_forms_of_one_address_get_one_copy(sieve: Sieve) -> None:
    script = 'redirect "kim @ home.example"; redirect "Kim <kim@home.example> (x)";'
    assert sieve.actions(script) == ["redirect kim@home.example"]


# ---- the separators of a subaddress


@pytest.mark.parametrize(
    ("delimiter", "user", "detail"),
    [("+-", "kim", "x-y"), ("-", "kim+x", "y"), ("-+", "kim", "x-y"), ("+", "kim", "x-y")],
)
def test_each_character_of_the_delimiter_separates(sieve: Sieve, delimiter: str, user: str, detail: str) -> None:
    """RFC 5233, 1, as servers read the setting."""
    require, settings = 'require "subaddress";', {"subaddress": {"recipient_delimiter": delimiter}}
    message = field("kim+x-y@b.example", "To")
    assert sieve.holds(f'address :user "to" "{user}"', message, require=require, settings=settings)
    assert sieve.holds(f'address :detail "to" "{detail}"', message, require=require, settings=settings)


# ---- dots anywhere in a local part


@pytest.mark.parametrize("local", ["taro..y.", "a..b", ".a", "a.", "...a...b..."])
def test_dots_have_the_same_meaning_in_fields_and_in_the_envelope(sieve: Sieve, local: str) -> None:
    """RFC 5228, 2.7.4 and 5.4: servers accept such addresses, so scripts can test them."""
    address = f"{local}@mob.example"
    assert mailboxes(address) == mailboxes(f"x <{address}>") == [envelope(address)] == [(address, local, "mob.example")]
    assert given_address(f"<{address}>", "--from") == address
    for require, test in (("", "address"), ('require "envelope";', "envelope")):
        more = {"message": field(address), "sender": address, "require": require}
        assert sieve.holds(f'{test} :domain :is "from" "mob.example"', **more)
        assert sieve.holds(f'{test} :localpart :is "from" "{local}"', **more)
    assert sieve.rules(f'redirect "{address}";') == ["address-invalid"]  # RFC 5228, 2.4.2.3


@pytest.mark.parametrize("text", [".@b", "a@b..c", "a@b..", "<a@b", "a@b>", "a@b@c", "a b@c"])
def test_an_invalid_envelope_address_has_no_parts(text: str) -> None:
    assert envelope(text) == (text, None, None)
    with pytest.raises(UsageError):
        given_address(text, "--to")


# ---- a value that is cut


def test_a_value_is_not_cut_within_an_escape(sieve: Sieve) -> None:
    """RFC 5229, 6: a value that is too long is truncated; a lone backslash would quote the next character."""
    script = (
        'require "variables"; if header :matches "subject" "*" { set :quotewildcard "v" "${1}"; set :length "n" "${v}"; }'
        ' if allof (string "${n}" "%s", not string :contains "${v}" "\\\\") { discard; }'
    )
    assert sieve.actions(script % 4095, field("a" * 4095 + "*", "Subject")) == ["discard"]
    assert sieve.actions(script % 4096, field("a" * 4096, "Subject")) == ["discard"]


# ---- one mistake is one problem


@pytest.mark.parametrize(
    ("script", "column"),
    [
        ("stop true;", 6),
        ("keep true;", 6),
        ('if true { keep header "a" "b"; }', 16),
        ('if address :comparator 1 "from" "x" { }', 12),
    ],
)
def test_one_mistake_is_one_problem(sieve: Sieve, script: str, column: int) -> None:
    checked = sieve.check(script)
    assert [(problem.rule, problem.span.start + 1) for problem in checked.problems] == [("argument-type", column)]


def test_two_mistakes_are_two_problems(sieve: Sieve) -> None:
    assert sieve.rules('keep true;\nstop\nredirect "x";') == ["argument-type", "semicolon-missing", "address-invalid"]
    assert sieve.rules('require "ihave"; if ihave "vnd.none" { keep true; }') == ["argument-type"]  # and an error
