"""mime, RFC 5703, 4."""

from __future__ import annotations

import pytest
from support.sieve import Sieve

MIXED = b"""From: a@b.example
Subject: top
Content-Type: multipart/Mixed; boundary="outer"; x-folded=
 "a b"
X-Where: top
Content-From: Tim <tim@example.com>

--outer
Content-Type: text/html; charset=utf-8
X-Where: first
Content-From: ann@example.org

<p>
--outer
Content-Type: application/pdf;
 name*0*=utf-8''r%C3%A9; name*1=sum.pdf
Content-Disposition: ATTACHMENT; filename="=?utf-8?q?r=C3=A9sum.pdf?="; size=12
X-Where: second

%PDF
--outer
Content-Type: message/rfc822
X-Where: third

From: deep@b.example
Content-MD5: x
Content-Type: unreadable

text
--outer--
"""

REQUIRE = 'require ["mime", "foreverypart", "index", "relational", "comparator-i;ascii-numeric", "variables"];'


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        # the RFC's examples
        ('header :mime :type "Content-Type" "image"', False),
        ('header :mime :anychild :contenttype "Content-Type" "text/html"', True),
        ('address :mime :is :all "content-from" "tim@example.com"', True),
        ('exists :mime :anychild "content-md5"', True),
        # outside a loop: the message's own fields
        ('header :mime "X-Where" "top"', True),
        ('header :mime "X-Where" "first"', False),
        ('exists :mime "Content-MD5"', False),
        ('address :mime :domain "from" "b.example"', True),
        # :anychild
        ('header :anychild :mime "X-Where" "third"', True),
        ('header :mime :anychild ["X-None", "X-Where"] ["none", "top"]', True),
        ('header :mime :anychild "Subject" "hello"', False),
        ('address :mime :anychild :localpart "From" "deep"', True),
        ('address :mime :anychild :domain "Content-From" "example.org"', True),
        ('exists :mime :anychild ["Content-MD5", "Content-Disposition", "Subject"]', True),
        ('exists :mime :anychild ["Content-MD5", "X-None"]', False),
        ('header :mime :anychild :count "eq" "X-Where" "4"', True),
        # pieces
        ('header :mime :type "Content-Type" "multipart"', True),
        ('header :mime :subtype "Content-Type" "mixed"', True),
        ('header :mime :subtype :comparator "i;octet" "Content-Type" "Mixed"', True),
        ('header :mime :contenttype "Content-Type" "multipart/mixed"', True),
        ('header :mime :type "Subject" ""', True),
        ('header :mime :subtype "Subject" ""', True),
        ('header :mime :contenttype "Subject" ""', True),
        ('header :mime :type "X-None" ""', False),
        ('header :mime :type "X-None" "text"', False),  # a missing field has no default
        ('header :mime :anychild :type "Content-Disposition" "attachment"', True),
        ('header :mime :anychild :contenttype "Content-Disposition" "attachment"', True),
        ('header :mime :anychild :subtype "Content-Disposition" ""', True),
        ('header :mime :anychild :count "eq" :type "Content-Type" "4"', True),  # unreadable does not count
        ('header :mime :anychild :type "Content-Type" ["unreadable", ""]', False),
        # parameters
        ('header :mime :param "boundary" "Content-Type" "outer"', True),
        ('header :mime :param "BOUNDARY" "Content-Type" "outer"', True),
        ('header :mime :param ["x", "x-folded"] "Content-Type" "a b"', True),
        ('header :mime :param "x" "Content-Type" ""', False),
        ('header :mime :param "charset" "Content-Type" "utf-8"', False),
        ('header :mime :anychild :param "name" "Content-Type" "résum.pdf"', True),  # RFC 2231
        ('header :mime :anychild :param "filename" ["Content-Type", "Content-Disposition"] "résum.pdf"', True),
        ('header :mime :anychild :param ["filename", "size", "x"] :count "eq" "Content-Disposition" "2"', True),
        ('header :mime :anychild :param "filename" :matches ["Content-Type", "Content-Disposition"] "*.pdf"', True),
        # with :index: within each part
        ('header :mime :anychild :index 1 "X-Where" "second"', True),
        ('header :mime :anychild :index 2 "X-Where" "second"', False),
        ('header :index 1 :mime :subtype "Content-Type" "mixed"', True),
    ],
)
def test_parts(sieve: Sieve, test: str, holds: bool) -> None:
    assert sieve.holds(test, MIXED, require=REQUIRE) is holds


@pytest.mark.parametrize(
    ("test", "parts"),
    [
        ('header :mime "X-Where" "first"', 1),
        ('header :mime :anychild "X-Where" "first"', 2),  # the message, and the part itself
        ('header :mime :type "Content-Type" "text"', 1),
        ('address :mime :domain "Content-From" ["example.com", "example.org"]', 2),
        ('exists :mime "X-Where"', 4),
        ('exists :mime :anychild "Content-MD5"', 3),
        ('header "X-Where" "top"', 5),
        ('header :mime :param "filename" :contains "Content-Disposition" ".pdf"', 1),
    ],
)
def test_in_a_loop(sieve: Sieve, test: str, parts: int) -> None:
    script = f"""{REQUIRE} foreverypart {{ if {test} {{ set "n" "${{n}}x"; }} }}
        if string "${{n}}" "{"x" * parts}" {{ discard; }}"""
    assert sieve.actions(script, MIXED) == ["discard"]


def test_match_variables(sieve: Sieve) -> None:
    script = (
        REQUIRE.replace("mime", 'fileinto", "mime')
        + """
        if header :mime :anychild :subtype :matches "Content-Type" "p?f" { fileinto "${1}"; }"""
    )
    assert sieve.actions(script, MIXED) == ["fileinto d"]


def test_parameters_from_variables(sieve: Sieve) -> None:
    script = REQUIRE + 'set "p" "boundary"; if header :mime :param "${p}" "Content-Type" "outer" { discard; }'
    assert sieve.actions(script, MIXED) == ["discard"]


@pytest.mark.parametrize(
    ("test", "rules"),
    [
        ('header :anychild "a" "b"', ["tag-missing"]),
        ('header :type "a" "b"', ["tag-missing"]),
        ('header :param "x" "a" "b"', ["tag-missing"]),
        ('address :anychild "from" "b"', ["tag-missing"]),
        ('exists :anychild "a"', ["tag-missing"]),
        ('header :mime :type :subtype "a" "b"', ["tag-conflict"]),
        ('header :mime :param "x" :contenttype "a" "b"', ["tag-conflict"]),
        ('header :mime :mime "a" "b"', ["tag-repeated"]),
        ('address :mime :type "from" "b"', ["tag-unknown"]),
        ('exists :mime :type "from"', ["tag-unknown"]),
        ('address "content-from" "b"', ["header-no-address"]),
        ('address :mime "content-from" "b"', []),
        ('header :mime :param 3 "a" "b"', ["argument-type"]),
        ("size :mime :over 3", ["tag-unknown"]),
    ],
)
def test_problems(sieve: Sieve, test: str, rules: list[str]) -> None:
    assert sieve.rules(f"{REQUIRE} if {test} {{ stop; }}") == rules
