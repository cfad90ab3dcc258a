"""body, RFC 5173."""

from __future__ import annotations

import base64
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sieve import Sieve
from support.timing import assert_linear

from sieveav.running.message import Message, intern_subject

body: Any = import_module("sieveav.extensions.body")

# RFC 5173, 5.2
EXAMPLE = b"""From: Whomever
To: Someone
Date: Whenever
Subject: whatever
Content-Type: multipart/mixed; boundary=outer

This is a multi-part message in MIME format.

--outer
Content-Type: multipart/alternative; boundary=inner

This is a nested multi-part message in MIME format.

--inner
Content-Type: text/plain; charset="us-ascii"

Hello

--inner
Content-Type: text/html; charset="us-ascii"

<html><body>Hello</body></html>

--inner--

This is the end of the inner MIME multipart.

--outer
Content-Type: message/rfc822

From: Someone Else
Subject: hello request

Please say Hello

--outer--

This is the end of the outer MIME multipart.
"""

WORDS = 'require ["body", "variables", "relational", "comparator-i;ascii-numeric"];'


def lines(sieve: Sieve, transform: str) -> set[str]:
    """The lines of the example that a body transform selects."""
    found = {line for line in EXAMPLE.decode().splitlines() if line}
    tests = {line: f'body {transform} :comparator "i;octet" :contains "{quoted(line)}"' for line in found}
    return {line for line, test in tests.items() if sieve.holds(test, EXAMPLE, require=WORDS)}


def quoted(text: str) -> str:
    return text.replace('"', '\\"')


@pytest.mark.parametrize(
    ("transform", "looked_at"),
    [
        (
            ':content "multipart"',
            {
                "This is a multi-part message in MIME format.",
                "This is a nested multi-part message in MIME format.",
                "This is the end of the inner MIME multipart.",
                "This is the end of the outer MIME multipart.",
            },
        ),
        (
            ':content "multipart/alternative"',
            {"This is a nested multi-part message in MIME format.", "This is the end of the inner MIME multipart."},
        ),
        (':content "text/plain"', {"Hello", "Please say Hello"}),
        (':content "text/html"', {"Hello", "<html><body>Hello</body></html>"}),
        (':content "TEXT"', {"Hello", "<html><body>Hello</body></html>", "Please say Hello"}),
        (':content "message/rfc822"', {"From: Someone Else", "Subject: hello request"}),
        (":text", {"Hello", "Please say Hello"}),
        (':content "image"', set()),
        (':content ["image", "message"]', {"From: Someone Else", "Subject: hello request"}),
    ],
)
def test_the_example(sieve: Sieve, transform: str, looked_at: set[str]) -> None:
    assert lines(sieve, transform) == looked_at


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ('body :content "" :contains "hello request"', True),
        ('body :content "" :contains "<html>"', True),
        ('body :content "" :contains "boundary=inner"', False),  # no header of a containing part
        ('body :content "multipart" :contains "hello"', False),
        ('body :content "message/rfc822" :contains "please"', False),
        ('body :content "audio/mp3" :contains ""', False),
        ('body :content "text/html" :contains ""', True),
        ('body :content "text/" :contains ""', False),
        ('body :content "/html" :contains ""', False),
        ('body :content "/" :contains ""', False),
        ('body :content "text/html/x" :contains ""', False),
        ('body :raw :contains "boundary=inner"', True),
        ('body :raw :contains "--outer--"', True),
        ('body :raw :contains "subject: whatever"', False),
        ('body :contains ["missile", "HELLO"]', True),
        ('body :comparator "i;octet" :contains "HELLO"', False),
        ('body :matches "*say*"', True),
        ('body "hello"', True),
        ('body :is "please say hello"', False),  # the text includes its line end
        ('body :contains "Hello Please"', False),  # each part is compared separately
        ('body :count "eq" "3"', True),
        ('body :count "eq" :content "multipart" "4"', True),
        ('body :raw :count "eq" "1"', True),
    ],
)
def test_body(sieve: Sieve, test: str, holds: bool) -> None:
    assert sieve.holds(test, EXAMPLE, require=WORDS) is holds


@pytest.mark.parametrize(
    ("message", "raw", "text"),
    [
        (b"Subject: x\n", False, False),
        (b"Subject: x", False, False),
        (b"", False, False),
        (b"Subject: x\n\n", True, True),
        (b"Subject: x\r\n\r\n", True, True),
        (b"\n", True, True),
        (b"\r\n", True, True),
        (b"Content-Type: image/gif\n\n", True, False),
        (b"Content-Type: multipart/mixed; boundary=b\n\n", True, False),
    ],
)
def test_no_body_and_an_empty_one(sieve: Sieve, message: bytes, raw: bool, text: bool) -> None:
    for match in (":is", ":contains", ":matches"):
        assert sieve.holds(f'body :raw {match} ""', message, require=WORDS) is raw
        assert sieve.holds(f'body :text {match} ""', message, require=WORDS) is text
        assert sieve.holds(f'body :content "" {match} ""', message, require=WORDS) is raw


MULTIPART = "Content-Type: multipart/mixed; boundary=b\n\n"


@pytest.mark.parametrize(
    ("written", "texts"),
    [
        ("--b\n\nx\n--b--", ["", ""]),
        ("--b\n\nx\n--b--\n", ["", ""]),
        ("before\n--b\n\nx\n--b-- \nafter\n", ["before", "after\n"]),
        ("\nbefore\n\n--b\n\nx\n--b\n\ny\n--b--\n\nafter", ["\nbefore\n", "\nafter"]),
        ("before\n--b\n\nx\n", ["before", ""]),
        ("no part", ["no part"]),
        ("--b--\nno part", ["--b--\nno part"]),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_around_the_parts(written: str, texts: list[str], end: str) -> None:
    message = Message((MULTIPART + written).replace("\n", end).encode())
    assert list(body.contents(message.structure)) == [text.replace("\n", end) for text in texts]


def part(headers: str, data: bytes) -> bytes:
    return headers.encode() + b"\n\n" + data


@pytest.mark.parametrize(
    ("message", "key"),
    [
        (part("Content-Transfer-Encoding: base64", base64.b64encode("schön".encode())), "schön"),
        (part("Content-Transfer-Encoding: quoted-printable", b"sch=C3=B6n"), "schön"),
        (part("Content-Type: text/plain; charset=iso-8859-1", b"sch\xf6n"), "schön"),
        (part("Content-Type: text/plain; charset=iso-8859-15\nContent-Transfer-Encoding: 8bit", b"\xa4"), "€"),
        (part("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: binary", "schön".encode()), "SCHöN"),
        (part("Content-Transfer-Encoding: 7bit", b"nul\0 and after"), "after"),
        (part("Content-Type: text/plain; charset=nosuch", b"plain"), "plain"),
    ],
)
def test_text_is_decoded(sieve: Sieve, message: bytes, key: str) -> None:
    for transform in (":text", ':content "text"'):
        assert sieve.holds(f'body {transform} :contains "{key}"', message, require=WORDS)


def test_other_parts_are_octets(sieve: Sieve) -> None:
    data = base64.b64encode(b"%PDF \xff\xfe \xc3\xa9 end")
    message = part("Content-Type: application/pdf\nContent-Transfer-Encoding: base64", data)
    assert sieve.holds('body :content "application/pdf" :contains "é end"', message, require=WORDS)
    assert sieve.holds('body :content "application" :matches "%pdf ?? *"', message, require=WORDS)
    assert not sieve.holds('body :contains ""', message, require=WORDS)
    assert sieve.holds(f'body :raw :is "{data.decode()}"', message, require=WORDS)


def test_raw_eight_bit(sieve: Sieve) -> None:
    assert sieve.holds('body :raw :contains "é"', b"\n\xff \xc3\xa9", require=WORDS)


def test_match_variables_are_not_set(sieve: Sieve) -> None:
    script = 'require ["body", "variables", "fileinto"]; if body :matches "*say*" { fileinto "x${0}${1}"; }'
    assert sieve.actions(script, EXAMPLE) == ["fileinto x"]  # RFC 5173, 6


def test_keys_and_types_from_variables(sieve: Sieve) -> None:
    script = f'{WORDS} set "t" "html"; set "k" "<body>"; '
    assert sieve.holds('body :content "text/${t}" :contains "${k}"', EXAMPLE, require=script)


def test_texts_are_computed_once_for_all_recipients() -> None:
    message = Message(EXAMPLE)
    folded, plain = (message[intern_subject(body.BodyValues(body.TextParts(), fold))] for fold in (str.upper, None))
    assert [text.upper() for text in plain] == list(folded)
    assert message[intern_subject(body.BodyValues(body.TextParts(), str.upper))] is folded
    assert message[intern_subject(body.TextParts())] is plain


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ('if body :raw :text "a" { stop; }', ["tag-repeated"]),
        ('if body :content :contains "a" { stop; }', ["argument-type"]),
        ('if body :content "text/" "a" { stop; }', ["content-type-invalid"]),
        ('if body :content ["text", "a/b/c"] "a" { stop; }', ["content-type-invalid"]),
        ("if body { stop; }", ["argument-missing"]),
        ('if body "a" "b" { stop; }', ["argument-surplus"]),
    ],
)
def test_problems(sieve: Sieve, line: str, rules: list[str]) -> None:
    assert sieve.rules(f"{WORDS} {line}") == rules


# ---- HTML


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>pro<b>ject</b>\n schedule</p>next", "project schedule next"),
        ("a&amp;b &lt;i&gt; &eacute;&nbsp;x", "a&b <i> é x"),
        ("<style>p { x }</style>a<script src='x'>if (a<b) {}</script>b", "a b"),
        ("<!-- gone --> kept <!--> kept too <!-- to the end", "kept kept too"),
        ("<!DOCTYPE html><?xml?>a</>b</ >c", "a b c"),
        ("<a href=\"http://evil.example/?a>b\" title='x>y'>link</a>", "link"),
        ('<p ">shown<p ">', "shown"),  # a quote outside an attribute value
        ("1 < 2 > 1 <3", "1 < 2 > 1 <3"),
        ("<br>a<br/>b<span/>c", "a bc"),
        ("<script>open", ""),
        ("text <a", "text"),
        ("", ""),
    ],
)
def test_the_visible_text(html: str, shown: str) -> None:
    assert body.plain_text(html) == shown


@given(st.text(alphabet="<>!-/='\" abscript&;", max_size=80))
def test_any_html(html: str) -> None:
    assert body.plain_text(html).strip() == body.plain_text(html)


@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        '<a ="',
        "<a ='",
        "<!--",
        "<!",
        "<script",
        "<script>",
        "</script",
        "<style></style",
        "</",
        "&",
        "&#",
        "<",
        "--",
        '<a b="c" ',
    ],
)
def test_markup_is_removed_in_linear_time(piece: str) -> None:
    assert_linear(lambda octets: body.plain_text(piece * (octets // len(piece))), 100_000)
