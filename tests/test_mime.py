"""The tree of MIME parts: how messages are read, the defects for which mail clients differ, and hostile messages."""

from __future__ import annotations

import base64
import email
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP, default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.timing import assert_linear

from sieveav import limits
from sieveav.headers import decode_words, fields, header_end, unfold
from sieveav.mime import AMBIGUOUS, DEFECTS, Part, defects, parse, walk

MIXED = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"


def typed(content_type: str, body: bytes = b"", more: str = "") -> Part:
    return parse(f"Content-Type: {content_type}\r\n{more}\r\n".encode() + body)


def depth(part: Part) -> int:
    deepest, todo = 0, [(part, 0)]
    while todo:
        part, level = todo.pop()
        deepest = max(deepest, level)
        todo.extend((child, level + 1) for child in part.parts)
    return deepest


# ---- one part


@pytest.mark.parametrize(
    ("said", "parameters"),
    [
        ('text/plain; Charset="utf-8" (really); x=', {"charset": "utf-8", "x": ""}),
        (r'text/plain; name="a\"b;c"; y="open', {"name": 'a"b;c', "y": "open"}),
        ("text/plain; name=a b (1).exe; x=1", {"name": "a b (1).exe", "x": "1"}),
        ("text/plain; name*=utf-8'de'%C3%A4%0A.exe", {"name": "ä .exe"}),
        ("text/plain; name*1=b; name*0*=utf-8''%C3; name*2*=%A4", {"name": "\ufffdb\ufffd"}),
        ("text/plain; name*0*=latin1''%E4; name*1=.exe; name=safe.txt", {"name": "ä.exe"}),
        ("text/plain; name*0=a; name*2=c", {"name": "ac"}),
    ],
)
def test_parameters(said: str, parameters: dict[str, str]) -> None:
    assert typed(said).parameters == parameters


def test_the_header_of_a_part() -> None:
    more = (
        "Content-Transfer-Encoding: BASE64 \r\n"
        "Content-Disposition: Attachment;\r\n filename==?utf-8?q?=C3=A4.exe?=\r\n"
        "Subject: a\r\n b\r\n"
    )
    part = typed("Application/PDF; name=other.pdf", b"QUJD", more)
    assert (part.content_type, part.encoding, part.disposition) == ("application/pdf", "base64", "attachment")
    assert (part.filename, part.decoded(), part.defects) == ("ä.exe", b"ABC", ())
    assert (part.first("SUBJECT"), part.first("none")) == ("a b", None)
    assert part.header + b"\r\n" + part.body == part.source
    assert typed("image/png; name*=''x.png").filename == "x.png"
    bare = parse(b"Subject: x\n\nhello\n")
    assert (bare.content_type, bare.encoding, bare.disposition, bare.filename) == ("text/plain", "7bit", "", "")


def test_text() -> None:
    assert typed("text/plain; charset=iso-8859-1", b"\xe4").text() == "ä"
    assert typed("text/plain; charset=nonsense", "ä\xff".encode()).text() == "äÿ"
    assert typed("text/plain", b"a\xff").text() == "a\ufffd"
    assert typed("text/plain; charset=unicode_escape", rb"\d").text() == r"\d"


# ---- the tree


def test_a_nested_message() -> None:
    raw = (
        MIXED + b"preamble\r\n--b\r\n\r\none\r\n--b \t\r\nContent-Type: multipart/alternative; boundary=b2\r\n\r\n"
        b"--b2\r\n\r\ntwo\r\n--b2\r\nContent-Type: text/html\r\n\r\nthree\r\n--b2--\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: four\r\n\r\nfour\r\n--b--\r\nepilogue\r\n"
    )
    root = parse(raw)
    assert [(part.content_type, part.body) for part in walk(root) if not part.parts] == [
        ("text/plain", b"one"),
        ("text/plain", b"two"),
        ("text/html", b"three"),
        ("text/plain", b"four"),
    ]
    assert root.parts[2].parts[0].first("subject") == "four"
    assert defects(root) == ()  # `--b2` begins with `--b`, but is a boundary of its own
    assert [part.body for part in walk(parse(raw.replace(b"\r\n", b"\n"))) if not part.parts][:2] == [b"one", b"two"]


def test_messages_of_the_standard_library() -> None:
    message = EmailMessage()
    message["Subject"] = "Grüße " * 30
    message.set_content("Käse\n" * 3)
    message.add_alternative("<p>Käse</p>", subtype="html")
    message.add_attachment(bytes(range(256)), "application", "zip", filename="Größe " * 20 + ".zip")
    message.add_attachment(email.message_from_string("Subject: in\n\nside\n", policy=default))
    for policy in (default, SMTP):
        root = parse(message.as_bytes(policy=policy))
        theirs = [part for part in message.walk() if not part.is_multipart()]
        ours = [part for part in walk(root) if not part.parts]
        assert [part.content_type for part in ours] == [part.get_content_type() for part in theirs]
        assert [part.filename for part in ours] == [part.get_filename() or "" for part in theirs]
        assert ours[0].text().splitlines() == ["Käse"] * 3
        assert ours[2].decoded() == bytes(range(256))
        assert decode_words(root.first("subject") or "").strip() == str(message["Subject"]).strip()
        assert defects(root) == ()


def test_an_outer_boundary_ends_an_inner_multipart() -> None:
    inner = b"--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n"
    root = parse(MIXED + inner + b"--b\n\ntwo\n--b--\n")
    assert [part.body for part in walk(root) if not part.parts] == [b"one", b"two"]
    assert defects(root) == ("unterminated-multipart",)


def test_empty_parts_and_adjacent_boundaries() -> None:
    root = parse(MIXED + b"--b\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b--")
    assert [(part.header, part.body) for part in root.parts] == [(b"", b""), (b"", b""), (b"", b"")]
    assert root.defects == ()


def test_parts_of_a_digest_are_messages() -> None:
    root = typed("multipart/digest; boundary=b", b"--b\n\nSubject: x\n\ny\n--b--")
    assert [part.content_type for part in walk(root)] == ["multipart/digest", "message/rfc822", "text/plain"]


@pytest.mark.parametrize("label", ["base64", "quoted-printable"])
def test_parts_in_an_encoded_multipart_are_found(label: str) -> None:
    inside = b"Subject: s\n\nbody =\n"
    encode = base64.encodebytes if label == "base64" else (lambda octets: octets.replace(b"=", b"=3D"))
    more = f"Content-Transfer-Encoding: {label}\r\n"
    message = typed("message/rfc822", encode(inside), more)
    assert message.parts[0].body == b"body =\n"
    multipart = typed("multipart/mixed; boundary='='", encode(b"--'='\n\nx\n--'='--\n"), more)
    assert multipart.parts[0].body == b"x"
    for root in (message, multipart):
        assert {"encoded-multipart", "hidden-parts"} <= set(root.defects)


def test_a_wrong_label_alone_is_not_ambiguous() -> None:
    root = typed("multipart/mixed; boundary=b", b"--b\n\nx\n--b--\n", "Content-Transfer-Encoding: quoted-printable\r\n")
    assert root.defects == ("encoded-multipart",)
    assert root.parts[0].body == b"x"


BODY = b"--b\n\nx\n--b--\n"


@pytest.mark.parametrize(
    ("defect", "raw"),
    [
        ("bad-base64", b"Content-Transfer-Encoding: base64\n\nQUJD*"),
        ("bad-base64", b"Content-Transfer-Encoding: base64\n\nQUJ"),
        ("bad-base64", b"Content-Transfer-Encoding: base64\n\nQUI=QUI="),
        ("bad-content-type", b"Content-Type: text\n\n"),
        ("bad-content-type", b"Content-Type: text/plain junk; a=b\n\n"),
        ("bad-header-line", b"A: b\n--b\nContent-Type: x/y\n\n"),
        ("bad-header-line", b"just text\n"),
        ("bare-cr", b"Subject: x\rContent-Type: a/b\n\n"),
        ("boundary-lookalike", MIXED + b"--b\n\nx\n--bc\n\ny\n--b--\n"),
        ("content-after-final-boundary", MIXED + BODY + b"\nContent-Type: a/b\n\nx"),
        ("content-after-final-boundary", MIXED + BODY + b"--b\n\nx"),
        ("duplicate-boundary", b"Content-Type: multipart/mixed; boundary=a; boundary=b\n\n" + BODY),
        ("duplicate-boundary", b"Content-Type: multipart/mixed; boundary=a; boundary*=''b\n\n" + BODY),
        ("duplicate-content-type", b"Content-Type: a/b\ncontent-type : a/c\n\n"),
        ("duplicate-disposition", b"Content-Disposition: inline\nContent-Disposition: attachment\n\n"),
        ("duplicate-encoding", b"Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\n"),
        ("empty-boundary", b'Content-Type: multipart/mixed; boundary=""\n\n' + BODY),
        ("message-partial", b"Content-Type: message/partial; id=1\n\n"),
        ("missing-boundary", b"Content-Type: multipart/mixed\n\n" + BODY),
        ("no-part", MIXED + b"nothing\n"),
        ("nul", b"Subject: \0\n\n"),
        ("other-boundary", b"Content-Type: multipart/mixed; boundary=c\n\n" + BODY),
        ("repeated-boundary", MIXED + b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" + BODY + b"--b--\n"),
        ("unclear-boundary", b'Content-Type: multipart/mixed; boundary="\\b"\n\n' + BODY),
        ("unclear-boundary", b"Content-Type: multipart/mixed; boundary*0=b\n\n" + BODY),
        ("unclear-boundary", b"Content-Type: multipart/mixed; boundary=b c\n\n" + BODY),
        ("unclear-boundary", b"Content-Type: multipart/mixed; boundary=b(c)\n\n" + BODY),
        ("unknown-encoding", b"Content-Transfer-Encoding: base-64\n\n"),
        ("unterminated-multipart", MIXED + b"--b\n\nx\n"),
    ],
)
def test_defects(defect: str, raw: bytes) -> None:
    assert defect in defects(parse(raw))


def test_ordinary_mail_is_not_ambiguous() -> None:
    sloppy = (
        b"From x@y Mon Jan 1 00:00:00 2024\nSubject: x\r\nContent-Type: multipart/mixed; charset=utf-8;\n"
        b' boundary="----=_Part {1}@x";\n\npreamble\n------=_Part {1}@x\nContent-Type: text/plain; name=a b.pdf\n'
        b"Content-Transfer-Encoding: 8-bit\n\n-- \nsig\n------\n"
    )
    found = defects(parse(sloppy))
    assert found == ("unterminated-multipart", "bad-content-type", "unknown-encoding")
    assert not AMBIGUOUS.intersection(found)
    same = b"Content-Type: multipart/mixed; boundary=b; boundary=b\n"
    assert defects(parse(same + same + b"\n" + BODY)) == ()
    assert DEFECTS.keys() > AMBIGUOUS
    assert {"duplicate-boundary", "nul", "too-deep"} <= AMBIGUOUS


# ---- limits, and hostile messages


def test_too_many_parts_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MIME_PARTS", 4)
    root = parse(MIXED + b"".join(b"--b\n\n%d\n" % number for number in range(9)) + b"--b--\n")
    assert len(list(walk(root))) == 4
    assert [part.body for part in root.parts[:2]] == [b"0", b"1"]
    assert root.parts[2].body.startswith(b"\n2\n--b\n\n3")
    assert root.parts[2].defects == ("too-many-parts",)
    exact = parse(MIXED + b"--b\n\n0\n" * 3 + b"--b--\n")
    assert (len(exact.parts), defects(exact)) == (3, ())


def nested(levels: int) -> bytes:
    return (
        b"".join(b"Content-Type: multipart/mixed; boundary=n%d.\n\n--n%d.\n" % (n, n) for n in range(levels)) + b"\nx"
    )


def test_too_deep() -> None:
    root = parse(nested(limits.MIME_DEPTH))
    assert depth(root) == limits.MIME_DEPTH
    assert "too-deep" not in defects(root)
    root = parse(nested(limits.MIME_DEPTH + 5))
    assert depth(root) == limits.MIME_DEPTH
    last = list(walk(root))[-1]
    assert "too-deep" in last.defects
    assert last.body.endswith(b"\nx")


PIECES = (
    b"Content-Type: |Content-Disposition: x|Content-Transfer-Encoding: |multipart/mixed|multipart/digest|message/rfc822"
    b'|; boundary=|a|--a|--ab|--|"|(|\\| |\n|\r\n|\n\n|\r|\0|\xff|base64|quoted-printable|x-uuencode|begin 644 x\n'
    b"|=?utf-8?q?|?=|; name*0*=|utf-7''%80|Content-Type: multipart/mixed; boundary=a\n\n--a\n"
    b"|Content-Type: message/rfc822\n\n"
)
HOSTILE = st.lists(st.sampled_from(PIECES.split(b"|")), max_size=40).map(b"".join)


@settings(max_examples=400)
@given(st.binary() | HOSTILE)
def test_anything_gives_an_answer(raw: bytes) -> None:
    root = parse(raw)
    parts = list(walk(root))
    assert len(parts) <= limits.MIME_PARTS
    assert depth(root) <= limits.MIME_DEPTH
    assert set(defects(root)) <= DEFECTS.keys()
    stop, start = header_end(raw)
    assert 0 <= stop <= start <= len(raw)
    for part in parts:
        part.decoded()
        part.text().encode()
        assert not set("\r\n\0") & set(part.filename)
        for name, value in fields(part.header):
            assert name
            decode_words(unfold(value))


HUGE: dict[str, Callable[[int], bytes]] = {
    "boundaries": lambda n: MIXED + b"--b\n" * (n // 4),
    "lookalikes": lambda n: MIXED + b"--bc\n" * (n // 5),
    "one lookalike": lambda n: MIXED + b"--b" * (n // 3),
    "spaces": lambda n: MIXED + b"--b\nContent-Transfer-Encoding: quoted-printable\n\n x \n" + b" " * n + b"x",
    "nested": lambda n: nested(n // 50),
    "nested, all alike": lambda n: MIXED + b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * (n // 50),
    "deep and large": lambda n: nested(30) + b"\n--n" * (n // 4),
    "deep lookalikes": lambda n: (
        b"".join(b"Content-Type: multipart/mixed; boundary=%s\n\n--%s\n" % (b"b" * k, b"b" * k) for k in range(1, 30))
        + (b"\n--" + b"b" * 40) * (n // 43)
    ),
    "messages": lambda n: b"Content-Type: message/rfc822\n\n" * (n // 30),
    "encoded words": lambda n: b"Subject: " + b"=?" * (n // 2),
    "encoded word pieces": lambda n: b"Subject: " + b"=?utf-8?q?" * (n // 10),
    "folding": lambda n: b"A:" + b"\n b" * (n // 3),
    "empty fields": lambda n: b"A:\n" * (n // 3),
    "carriage returns": lambda n: b"A: b" + b"\r" * n,
    "no colon": lambda n: b"a" * n,
    "semicolons": lambda n: b"Content-Type: multipart/mixed" + b"; " * (n // 2),
    "brackets": lambda n: b"Content-Type: text/plain; " + b"(" * n,
    "quotes": lambda n: b"Content-Type: text/plain; " + b'a="' * (n // 3),
    "names": lambda n: b"Content-Type: text/plain" + b"; a*=" * (n // 5),
    "sections": lambda n: b"Content-Type: text/plain" + b"; a*1234*='" * (n // 11),
    "padding": lambda n: b"Content-Transfer-Encoding: base64\n\n" + b"QQ=" * (n // 3),
    "uuencoded": lambda n: b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n" + b"#x\n" * (n // 3),
    "uuencode without beginning": lambda n: b"Content-Transfer-Encoding: x-uuencode\n\n" + b"begin 644 x" * (n // 11),
    "hyphens": lambda n: b"Content-Type: multipart/mixed; boundary=c\n\n" + b"-" * n,
}


@pytest.mark.parametrize("shape", HUGE)
def test_hostile_sizes_take_linear_time(shape: str) -> None:
    def read(size: int) -> None:
        root = parse(HUGE[shape](size))
        for part in walk(root):
            part.text()
        decode_words(root.first("subject") or "")
        assert len(list(walk(root))) <= limits.MIME_PARTS

    assert_linear(read, 1 << 16)
