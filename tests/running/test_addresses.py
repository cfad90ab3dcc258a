"""Addresses as RFC 5322, 3.4 and 4.4 write them, and those a script may send to (RFC 5228, 2.4.2.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.timing import assert_linear

from sieveav.running.addresses import (
    LIST_LENGTH,
    Address,
    envelope,
    mailbox_list_flaw,
    mailboxes,
    parse_addr_spec,
    parse_mailbox_list,
)


def no(text: str) -> tuple[str, None, None]:
    return text, None, None


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("", []),
        ("a@b.c", [("a@b.c", "a", "b.c")]),
        ("A@B.C", [("A@B.C", "A", "B.C")]),
        ("<a@b.c>", [("a@b.c", "a", "b.c")]),
        ("Bob <bob@b.c>", [("bob@b.c", "bob", "b.c")]),
        ("J. R. Bob <bob@b.c>", [("bob@b.c", "bob", "b.c")]),
        ('"Bob, <x@y>" <bob@b.c>', [("bob@b.c", "bob", "b.c")]),
        ("=?utf-8?q?J=C3=BCrgen?= <j@b.c>", [("j@b.c", "j", "b.c")]),
        ("a@b, c@d", [("a@b", "a", "b"), ("c@d", "c", "d")]),
        ("a@b,, ,c@d,", [("a@b", "a", "b"), ("c@d", "c", "d")]),
        # local parts
        ('"quoted local"@b.c', [('"quoted local"@b.c', "quoted local", "b.c")]),
        (r'"a\"b"@b.c', [(r'"a\"b"@b.c', 'a"b', "b.c")]),
        ('"a@b"@c.d', [('"a@b"@c.d', "a@b", "c.d")]),
        ('"a b" <"c, d"@e.f>', [('"c, d"@e.f', "c, d", "e.f")]),
        ("!def!xyz%abc@e.com", [("!def!xyz%abc@e.com", "!def!xyz%abc", "e.com")]),
        ("o'x+y=z@b.c", [("o'x+y=z@b.c", "o'x+y=z", "b.c")]),
        ("jürgen@bücher.example", [("jürgen@bücher.example", "jürgen", "bücher.example")]),
        ("a..b.@c.d", [("a..b.@c.d", "a..b.", "c.d")]),
        # domains
        ("a@[192.0.2.1]", [("a@[192.0.2.1]", "a", "[192.0.2.1]")]),
        ("a@[IPv6:::1]", [("a@[IPv6:::1]", "a", "[IPv6:::1]")]),
        ("a@localhost", [("a@localhost", "a", "localhost")]),
        ("a@b_c.d", [("a@b_c.d", "a", "b_c.d")]),
        # comments
        ("bob@b.c (Bob)", [("bob@b.c", "bob", "b.c")]),
        ("(x) bob (y) @ (z) b.c (a (b@c) d)", [("bob@b.c", "bob", "b.c")]),
        ("Bob (x@y.z) <bob@b.c>", [("bob@b.c", "bob", "b.c")]),
        # groups
        ("friends: a@b, Bob <c@d>;", [("a@b", "a", "b"), ("c@d", "c", "d")]),
        ("friends: a@b;, c@d", [("a@b", "a", "b"), ("c@d", "c", "d")]),
        ("undisclosed-recipients:;", []),
        # routes
        ("<@r1:a@b.c>", [("a@b.c", "a", "b.c")]),
        ("Bob <@r1,@r2.x:a@b.c>, c@d", [("a@b.c", "a", "b.c"), ("c@d", "c", "d")]),
        # no addresses: looked at as a whole, never by their parts
        ("nobody", [no("nobody")]),
        ("MAILER-DAEMON", [no("MAILER-DAEMON")]),
        ("Bob <bob>", [no("bob")]),
        ("@b.c", [no("@b.c")]),
        ("a b@c.d", [no("a b@c.d")]),
        ("a@b..c", [no("a@b..c")]),
        ("a@b.c.", [no("a@b.c.")]),
        ('"a"b@c.d', [no('"a"b@c.d')]),
        ("nobody, a@b", [no("nobody"), ("a@b", "a", "b")]),
    ],
)
def test_fields(field: str, found: list[tuple[str, str | None, str | None]]) -> None:
    assert [(address.text, address.local, address.domain) for address in mailboxes(field)] == found


@given(st.text('ab@.,;:<>()[]"\\ \té\r\n', max_size=40))
def test_no_field_raises(field: str) -> None:
    for address in mailboxes(field):
        assert (address.local is None) == (address.domain is None)
        assert address.text
    envelope(field)
    sent = parse_addr_spec(field)
    assert sent is None or (sent in field and "@" in sent)


ATOM = st.text("abz09!#$%&'*+/=?^_`{|}~-é", min_size=1, max_size=5)
LOCAL = st.lists(ATOM, min_size=1, max_size=3).map(".".join)
DOMAIN = st.lists(st.text("ab9-é", min_size=1, max_size=4), min_size=1, max_size=3).map(".".join)


@given(
    LOCAL, DOMAIN, st.sampled_from(["{}", "<{}>", "Bob <{}>", '"B, b" <{}>', "(c) {}", "g: {};", "{} (c)", "x@y, {}"])
)
def test_an_address_is_found_in_whatever_form(local: str, domain: str, form: str) -> None:
    assert mailboxes(form.format(f"{local}@{domain}"))[-1] == Address(f"{local}@{domain}", local, domain)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a@example.com", "a@example.com"),
        (" a@example.com ", "a@example.com"),
        ("root@localhost", "root@localhost"),
        ('"a b"@example.com', '"a b"@example.com'),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("Tim <tim@example.com>", "tim@example.com"),
        ("Tim T. Jr. <tim@example.com>", "tim@example.com"),
        ('"Tim, T." <tim@example.com>', "tim@example.com"),
        ("jürgen@bücher.example", "jürgen@bücher.example"),
        ("a" * 64 + "@b.c", "a" * 64 + "@b.c"),
        ("", None),
        ("nobody", None),
        ("@example.com", None),
        ("a@", None),
        ("a b@example.com", None),
        ("a@b@c", None),
        ("a..b@example.com", None),
        (".a@example.com", None),
        ("a@example..com", None),
        ("a@example.com.", None),
        ("a@example.com, b@example.com", None),
        ("a@example.com b@example.com", None),
        ("friends: a@example.com;", None),
        ("<@r:a@example.com>", None),
        ("<>", None),
        ("Tim <tim@example.com", None),
        ("Tim <tim@example.com> x", None),
        ("a@example.com\r\nRCPT TO:<b@c>", None),
        ('"a\r\nb"@example.com', None),
        ('"a\0b"@example.com', None),
        ("a\x85b@example.com", None),
        ("a\udc80b@example.com", None),
        ("a\u2028b@example.com", None),
        ("a" * 65 + "@b.c", None),
        ("a@" + "b" * 256, None),
    ],
)
def test_addresses_that_a_script_may_send_to(text: str, sent: str | None) -> None:
    assert parse_addr_spec(text) == sent


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ("", "", "")),
        ("<>", ("", "", "")),
        ("a@b.c", ("a@b.c", "a", "b.c")),
        ("<a@b.c>", ("a@b.c", "a", "b.c")),
        ('"a b"@c', ('"a b"@c', "a b", "c")),
        ('"a"@c', ("a@c", "a", "c")),
        ('"n\\o"@c', ("no@c", "no", "c")),
        ('"a."@c', ('"a."@c', "a.", "c")),
        ('"a@b"@c', ('"a@b"@c', "a@b", "c")),
        ('""@c', ('""@c', "", "c")),
        ("a(x)@c", ("a@c", "a", "c")),
        ("(x)a@c(y)", ("a@c", "a", "c")),
        ("a@b.c.", ("a@b.c", "a", "b.c")),
        ("a@b.c..", no("a@b.c..")),
        ("@r1,@r2:a@b.c", ("a@b.c", "a", "b.c")),
        ("Postmaster", ("Postmaster", "Postmaster", None)),
        ("nonsense", no("nonsense")),
        ("a@b@c", no("a@b@c")),
    ],
)
def test_the_envelope(text: str, parts: tuple[str, str | None, str | None]) -> None:
    address = envelope(text)
    assert (address.text, address.local, address.domain) == parts


@pytest.mark.parametrize(
    "unit", ["(", '"', "<", "a ", "a@b ", "(a", "\\(", ",", "a:", "<@a:", '"a" ', ". ", "[", "a.b."]
)
@pytest.mark.parametrize("prefix", ["", "a@b, ", '"', "<"])
def test_hostile_fields_take_linear_time(unit: str, prefix: str) -> None:
    def read(length: int) -> None:
        text = prefix + unit * (length // len(unit))
        mailboxes(text)
        parse_addr_spec(text)
        envelope(text)

    assert_linear(read, 10_000)


# ---- authors of messages that a script sends


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a@b", [("", "a@b")]),
        ("<a@b>", [("", "a@b")]),
        ("Bob Baker <a@b>, c@d", [("Bob Baker", "a@b"), ("", "c@d")]),
        (' "Baker, B."  <a@b> ', [("Baker, B.", "a@b")]),
        ('"a \\"b\\" \\\\c" d <a@b>', [('a "b" \\c d', "a@b")]),
        ("J. R. Bob <a@b>", [("J. R. Bob", "a@b")]),
        ("Bob (the builder) <a@b>", [("Bob", "a@b")]),
        ("Jürgen <a@b>", [("Jürgen", "a@b")]),
        ("=?utf-8?q?J=C3=BCrgen?= <a@b>", [("Jürgen", "a@b")]),
        ('"=?utf-8?q?J=C3=BCrgen?=" <a@b>', [("=?utf-8?q?J=C3=BCrgen?=", "a@b")]),
        ("", None),
        ("a", None),
        ("a@b,", None),
        (",a@b", None),
        ("a@b,,c@d", None),
        ("a@b c@d", None),
        ("a@b; c@d", None),
        ("group: a@b;", None),
        ("<@x:a@b>", None),
        ("Bob <a@b> x", None),
        ("a@b\r\nBcc: c@d", None),
        ("a@b," * 600 + "a@b", None),
    ],
)
def test_a_list_of_mailboxes(text: str, found: list[tuple[str, str]] | None) -> None:
    assert parse_mailbox_list(text) == found
    assert bool(mailbox_list_flaw(text)) is (found is None)


@given(st.text('a@b.c, <>"\\()\r\n=?', max_size=30))
def test_mail_may_be_sent_to_each_address_of_a_list(text: str) -> None:
    for _, address in parse_mailbox_list(text) or ():
        assert parse_addr_spec(address) == address


@pytest.mark.parametrize("unit", ["a@b,", "a ", '"a" ', "(a)", "a.", "=?utf-8?q?a?= "])
def test_a_list_that_is_too_long_is_invalid(unit: str) -> None:
    assert parse_mailbox_list(unit * (LIST_LENGTH // len(unit)) + "a" * len(unit)) is None
