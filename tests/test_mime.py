"""The tree of MIME parts: how messages are read, the defects for which mail clients differ, and hostile messages."""

from __future__ import annotations

import base64
import email
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP, default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.timing import assert_linear

from sieveav import dividing, limits
from sieveav.headers import decode_words, fields, header_end, unfold
from sieveav.mime import Part, defects, parse, walk
from sieveav.mime_defects import AMBIGUOUS, DEFECTS

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
        ("bare-cr-boundary", MIXED + b"--b\n\nhi\r--b\r\rx\n--b--\n"),
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
        ("unclear-boundary", b"Content-Type: application; boundary=b\n\n" + BODY),
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


# ---- what was made to get past scanners


def hides(raw: bytes, payload: bytes) -> bool:
    """Whether a scanner is neither shown the payload nor warned that a mail client may show it."""
    for octets in (raw, raw.replace(b"\n", b"\r\n")):
        root = parse(octets)
        shown = any(payload in reading for part in walk(root) for reading in part.readings())
        if not shown and not AMBIGUOUS.intersection(defects(root)):
            return True
    return False


def in_base64(octets: bytes) -> bytes:
    """An entity in base64."""
    return b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(octets)


@pytest.mark.parametrize(
    "around",
    [
        b"--b\n\nhi\r--b\r%b\n--b--\n",
        b"--b\n\nhi\r--b\n%b\n--b--\n",
        b"--b\n\nhi\r\r--b\r%b\n--b--\n",
        b"--b\n\nhi\n\r--b\r%b\n--b--\n",
        b"text\r--b\r%b\n--b\n\nhi\n--b--\n",
        b"\r--b\r%b\n--b\n\nhi\n--b--\n",
        b"--b\n\nhi\n--b--\r--b\r%b",
        b"--b\n\nhi\n--b--\n\r--b\r%b\r--b--\r",
        b"--b\r%b\n--b\n\nhi\n--b--\n",
        b"\r--b\r%b\r--b--",
    ],
)
def test_a_boundary_behind_a_cr_that_is_no_line_end(around: bytes, eicar: bytes) -> None:
    for entity in (in_base64(eicar), in_base64(eicar).replace(b"\n", b"\r")):
        raw = b"Content-Type: multipart/mixed; boundary=b\n\n" + around % entity
        assert AMBIGUOUS.intersection(defects(parse(raw))), raw
        inside = b"Content-Type: multipart/mixed; boundary=a\n\n--a\n" + raw + b"\n--a--\n"
        assert AMBIGUOUS.intersection(defects(parse(inside))), raw


@pytest.mark.parametrize("begin", [b"--b", b"-- b", b"x--bb", b"\r--c"])
def test_a_cr_in_a_part_is_ordinary(begin: bytes) -> None:
    raw = b"Content-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\rtwo\r\r%b\r\n--bb--\n" % begin
    assert [part.body for part in parse(raw).parts] == [b"one\rtwo\r\r" + begin]
    assert defects(parse(raw)) == ()


TYPES = (
    "(c) multipart/mixed; boundary=b|((a) b) multipart/mixed; boundary=b|multipart(c)/mixed; boundary=b"
    "|multipart/(c)mixed; boundary=b|multipart (c) / (d) mixed; boundary=b|multipart/mixed; (c) boundary=b"
    "|multipart/mixed (; x=(y)); boundary=b|multipart/; boundary=b|multipart; boundary=b|MULTIPART ; boundary=b"
    "|\u00a0multipart/mixed; boundary=b|\u2028multipart/mixed; boundary=b|\u200bmultipart/mixed; boundary=b"
    "|\x0bmultipart/mixed; boundary=b|multipart\u00a0/mixed; boundary=b|multipart/mixed;\u00a0boundary=b"
    '|multipart/mixed\u2028; boundary=b|"multipart/mixed"; boundary=b|multipart mixed; boundary=b|multipart-mixed; boundary=b'
    "|=?us-ascii?q?multipart/mixed?=; boundary=b|=?us-ascii?q?multipart/mixed;_boundary=3Db?="
    "|=?us-ascii?b?bXVsdGlwYXJ0L21peGVkOyBib3VuZGFyeT1i?=|text/plain/multipart/mixed; boundary=b"
    "|text/plain multipart/mixed; boundary=b|text/plain, multipart/mixed; boundary=b|/mixed; boundary=b|; boundary=b"
    "|multipart/mixed, boundary=b|multipart/mixed boundary=b|multipart=mixed; boundary*=''b|mixed; BOUNDARY = b"
    '|(c multipart/mixed; boundary=b|multipart/mixed; x="; boundary=b'
)


@pytest.mark.parametrize("said", TYPES.split("|"))
def test_a_type_that_may_be_a_multipart(said: str, eicar: bytes) -> None:
    raw = f"Content-Type: {said}\n\n".encode() + b"--b\n\nhi\n--b\n" + in_base64(eicar) + b"\n--b--\n"
    assert not hides(raw, eicar)


@pytest.mark.parametrize("said", ["(c) multipart/mixed", "multipart (c)/mixed", "multipart", "\u00a0multipart/mixed"])
def test_a_multipart_by_a_lenient_reading_is_divided(said: str) -> None:
    root = typed(f"{said}; boundary=b", BODY)
    assert [part.body for part in root.parts] == [b"x"]
    assert root.content_type == "multipart/mixed"
    assert "bad-content-type" in root.defects


@pytest.mark.parametrize(
    "said",
    [
        "text/plain; boundary=b",
        "text/html charset=utf-8 boundary=b",
        "text/plain; name=a b.txt; boundary=b",
        "application/pdf; name=a b.pdf; boundary=b",
        "application/octet-stream; boundary=b",
        "pdf; name=boundary.pdf",
        'pdf; name="a boundary"',
        "\u00a0text/html; charset=utf-8",
        "(c) text/html",
        "text",
        "",
    ],
)
def test_a_type_that_is_no_multipart(said: str) -> None:
    assert not AMBIGUOUS.intersection(defects(typed(said, b"x\n")))


@pytest.mark.parametrize("subtype", ["rfc822", "global", "news", "http", "x-any", "s-http", "vnd.x", "rfc2822"])
def test_messages_by_whatever_name_are_opened(subtype: str, eicar: bytes) -> None:
    entity = f"Content-Type: message/{subtype}\n\n".encode() + in_base64(eicar)
    assert parse(entity).parts[0].decoded() == eicar
    assert not hides(MIXED + b"--b\n" + entity + b"\n--b--\n", eicar)
    assert defects(parse(entity)) == ()


@pytest.mark.parametrize(
    ("subtype", "body", "opened"),
    [
        ("delivery-status", b"Reporting-MTA: dns; x\n", False),
        ("disposition-notification", b"Final-Recipient: rfc822; x\n", False),
        ("feedback-report", b"Feedback-Type: abuse\n", False),
        ("http", b"HTTP/1.1 200 OK\nContent-Type: text/html\n\nx", False),
        ("x-any", b"From x@y Mon Jan 1\nSubject: x\n\nx", True),
        ("x-any", b"\nSubject: x\n\nx", False),
        ("rfc822", b"\nSubject: x\n\nx", True),
        ("news", b"text", True),
    ],
)
def test_what_is_opened_as_a_message(subtype: str, body: bytes, opened: bool) -> None:
    assert bool(typed(f"message/{subtype}", body).parts) == opened


ENCODED = "Content-Transfer-Encoding: {}\r\n"


@pytest.mark.parametrize("label", ["base64", "(c) base64", "base64,", "base64x", "=?us-ascii?q?base64?="])
def test_a_multipart_that_may_be_in_base64(label: str, eicar: bytes) -> None:
    code = base64.encodebytes(b"\n--b\n" + in_base64(eicar) + b"--b--\n")
    decoded = typed("multipart/mixed; boundary=b", code, ENCODED.format(label))
    assert decoded.parts[0].decoded() == eicar
    assert "hidden-parts" in decoded.defects
    # as many boundaries before and after
    both = typed("multipart/mixed; boundary=b", b"--b\n\nhiya" + code + b"\n--b--\n", ENCODED.format(label))
    assert "hidden-parts" in both.defects


@pytest.mark.parametrize(
    "body",
    [
        b"--b\n\nhi\n=2D-b\n%b\n--b--\n",
        b"--b\n\nhi=\n--b\n\nhi\n=2D-b\n%b\n--b--\n",  # one boundary more and one less
        b"--b\n\nhi= \t\n--b\n\nhi\n-=2Db\n%b\n--b--\n",
        b"--b\nX: y=0AContent-Transfer-Encoding: base64\n\n%c\n--b--\n",
        b"--b\nContent-Transfer-Encod=69ng: base64\n\n%c\n--b--\n",
        b"--b\nX: y=\n\nContent-Transfer-Encoding: base64\n\n%c\n--b--\n",
        b"--b\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Transfer-Encod=69ng: base64\n\n%c\n--a--\n--b--\n",
        b"--b\n\n%q\n--b--\n",
        b"--b\nContent-Transfer-Encoding: base64\n\n%d\n--b--\n",
        b"--b\nContent-Type: message/rfc822\n\nSubject: x\n\n%q\n--b--\n",
    ],
)
def test_a_multipart_in_quoted_printable(body: bytes, eicar: bytes) -> None:
    def quoted(octets: bytes) -> bytes:
        return b"".join(b"=%02X" % octet for octet in octets)

    code = base64.b64encode(eicar)
    for mark, octets in {b"%b": in_base64(eicar), b"%c": code, b"%d": quoted(code), b"%q": quoted(eicar)}.items():
        body = body.replace(mark, octets)
    raw = b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: quoted-printable\n\n" + body
    assert not hides(raw, eicar)
    inner = b"Content-Type: multipart/mixed; boundary=o\nContent-Transfer-Encoding: quoted-printable\n\n--o\n" + raw
    assert not hides(inner + b"\n--o--\n", eicar)


def test_a_boundary_that_is_quoted_printable_itself() -> None:
    raw = (
        b'Content-Type: multipart/mixed; boundary="a=3Db"\nContent-Transfer-Encoding: quoted-printable\n\n'
        b"--a=3Db\n\nx\n--a=3D3Db\n\ny\n--a=3Db--\n"
    )
    assert "hidden-parts" in defects(parse(raw))


def test_a_multipart_in_uuencode() -> None:
    label = ENCODED.format("x-uuencode")
    assert defects(typed("multipart/mixed; boundary=b", BODY, label)) == ("encoded-multipart",)
    inside = b"begin 644 a\n#0V%T\n`\nend\n"
    assert "hidden-parts" in defects(typed("multipart/mixed; boundary=b", inside + BODY, label))


def test_too_many_multiparts_in_quoted_printable() -> None:
    """Each would be decoded on its own: that takes too long, and nobody writes it."""
    body = b"\ntext =3D\n"
    for number in range(6):
        head = b"Content-Type: multipart/mixed; boundary=n%d\nContent-Transfer-Encoding: quoted-printable\n\n" % number
        body = head + b"--n%d\n%b\n--n%d--\n" % (number, body, number)
        assert ("hidden-parts" in defects(parse(body))) == (number >= 3)


# ---- sloppy mail

QP_MIXED = b"Content-Type: multipart/alternative; boundary=b\nContent-Transfer-Encoding: quoted-printable\n\n"
SLOPPY_LABELS = (
    "|7-bit|8-bit|8 bit|7 bit|none|utf-8|UTF-8|us-ascii|iso-8859-1|8BITS|7bit;|text|x-unknown|base-64|(8bit)"
)
SLOPPY = {
    **{
        f"encoding {label!r}": f"Content-Transfer-Encoding: {label}\n\nbase64 = text, 8 bit\n".encode()
        for label in SLOPPY_LABELS.split("|")
    },
    **{
        f"type {said!r}": f"Content-Type: {said}\n\ntext\n".encode()
        for said in (
            "",
            "text",
            "html",
            "text/plain charset=utf-8",
            "text/html; charset=utf-8;",
            "text/html;; charset=utf-8",
            "text/plain; charset = utf-8",
            "text/plain; format=flowed; delsp=yes; boundary=",
            "text/html; boundary=--x",
            "application/pdf; name=Rechnung Nr. 7.pdf",
            "application/pdf; name=Rechnung (1).pdf",
            "application/octet-stream; name=a;b.exe",
            "application/x-zip-compressed; name==?utf-8?q?=C3=A4.zip?=",
            "image/jpeg; name='a b.jpg'",
            "text/plain (plain text); charset=us-ascii",
        )
    },
    "no header": b"\nText without a header.\n\nFrom me.\n",
    "mbox": b"From x@y Mon Jan  1 00:00:00 2024\nSubject: x\n\ntext\n>From here\n",
    "footer behind base64": in_base64(b"text " * 30) + b"-- \nlist mailing list\nhttps://example.org/\n",
    "base64 without padding": b"Content-Transfer-Encoding: base64\n\nQUJDRA\n",
    "base64 in uneven lines": b"Content-Transfer-Encoding: base64\n\nQUJDR\nEVG\n\nQQ==\n",
    "pads amid base64": b"Content-Transfer-Encoding: base64\n\nQUI=QUI=\n",
    "invalid quoted-printable": b"Content-Transfer-Encoding: quoted-printable\n\na = b == c =zz https://x/?a=b \n=\n",
    "bare CR in text": b"Subject: x\n\n10 %\r20 %\r100 %\ndone\r\r\nsig\r",
    "CR before hyphens": MIXED + b"--b\r\n\r\na\r-- \rb\r----\r--bx-\r--\r\r\n--b--\r\n".replace(b"--bx-", b"--c"),
    "text that begins like a message": MIXED + b"--b\n\nDear all:\nFrom: here\nto: there\n--b--\n",
    "begin in text": b"Subject: x\n\nbegin at once\nbegin 644 words\n",
    "multipart with 8bit": MIXED.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n") + BODY,
    "multipart with utf-8": MIXED.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: utf-8\r\n\r\n") + BODY,
    "multipart with a wrong label": QP_MIXED
    + b"--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
    + b"a =3D b=\n c \n-=2D\n--b\nContent-Type: text/html; name=ab.html\nContent-Transfer-Encoding: 8bit\n\n"
    + b'<a href="https://x/?a=b&c=d">\n--b--\n',
    "multiparts with a wrong label": QP_MIXED.replace(b"alternative", b"mixed").replace(b"=b", b"=o")
    + b"--o\n"
    + QP_MIXED
    + b"--b\n\na=3Db =\n--c\n--b\nX-Y: =\n\n--b--\n--o--\n",
    "news in a message": MIXED + b"--b\nContent-Type: message/news\n\nPath: x!y\nSubject: x\n\ntext\n--b--\n",
    "bounce": b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nSorry.\n"
    b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@b\nAction: failed\n\n"
    b"--b\nContent-Type: message/rfc822\n\nSubject: x\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\ncut o",
    "bounce with a header only": b"Content-Type: multipart/report; boundary=b\n\n--b\n\nSorry.\n"
    b"--b\nContent-Type: text/rfc822-headers\n\nSubject: x\nContent-Type: multipart/mixed; boundary=c\n\n--b--\n",
    "complaint": b"Content-Type: multipart/report; boundary=b\n\n--b\n\nSpam.\n"
    b"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n\n"
    b"--b\nContent-Type: message/rfc822\n\nSubject: x\n\ntext\n--b--\n",
    "receipt": b"Content-Type: multipart/report; boundary=b\n\n--b\n\nRead.\n"
    b"--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; a@b\n\n--b--\n",
    "preamble and epilogue": MIXED + b"This is MIME.\n--\n--b\n\nx\n--b--\n\n-- \nlist footer\n",
    "no final boundary": MIXED + b"--b\n\nx\n--b\n\ny\n",
    "two line ends": MIXED + b"--b\n\r\nx\r\n--b--\n",
    "blanks behind boundaries": MIXED + b"--b \t\r\n\r\nx\r\n--b-- \r\n",
    "boundary with blanks": b'Content-Type: multipart/mixed; boundary="a b"\n\n--a b\n\nx\n--a b--\n',
    "boundary without quotes": b"Content-Type: multipart/mixed; boundary=--=_1@x:y\n\n----=_1@x:y\n\nx\n----=_1@x:y--\n",
    "empty line before the fields of a part": MIXED + b"--b\n\nContent-Type: text/html\n\n<p>\n--b--\n",
    "signed": b'Content-Type: multipart/signed; protocol="application/pgp-signature"; micalg=pgp-sha256; boundary="b"\n\n'
    b"--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\na=20\n--b\n"
    b"Content-Type: application/pgp-signature; name=signature.asc\n\n-----BEGIN PGP SIGNATURE-----\n\niQ==\n=abcd\n"
    b"-----END PGP SIGNATURE-----\n--b--\n",
    "patch": MIXED + b"--b\nContent-Type: text/x-patch\n\n--- a/b\n+++ b/b\n--- \n--\n2.1\n\n--b--\n",
    "digest": b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\ny\n--b\n\nSubject: z\n\n--b--\n",
}


def test_there_is_enough_sloppy_mail() -> None:
    assert len(SLOPPY) > 50


@pytest.mark.parametrize("name", SLOPPY)
def test_sloppy_mail_is_not_ambiguous(name: str) -> None:
    for raw in (SLOPPY[name], SLOPPY[name].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
        root = parse(raw)
        assert not AMBIGUOUS.intersection(defects(root))
        for part in walk(root):
            assert len(list(part.readings())) <= 6


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
    "boundaries behind CR": lambda n: MIXED + b"\r--b" * (n // 4),
    "boundaries within lines": lambda n: MIXED + b"x--b\n" * (n // 5),
    "comments": lambda n: b"Content-Type: " + b"(a) " * (n // 4) + b"multipart/mixed; boundary=b\n\n",
    "open comments": lambda n: b"Content-Type: " + b"(" * n,
    "no type": lambda n: b"Content-Type: " + b"boundary " * (n // 9),
    "multiparts in quoted-printable": lambda n: QP_MIXED + b"--b\n\n=\n" * (n // 7),
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


def labelled_nest(label: bytes, body: bytes, levels: int = 29) -> bytes:
    head = b"Content-Type: multipart/mixed; boundary=b%d\nContent-Transfer-Encoding: %b\n\n--b%d\n"
    return b"".join(head % (level, label, level) for level in range(levels)) + body


@pytest.mark.parametrize("label", [b"base64", b"quoted-printable", b"x-uuencode", b"7bit"])
@pytest.mark.parametrize("unit", [b"QUJD" * 19 + b"\r\n", b"\n--b", b"\r--b", b"=\n", b"x--b1", b"begin"])
def test_nested_multiparts_do_not_multiply_the_time(label: bytes, unit: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """29 levels around a body, each labelled, take little more than looking at the body a few times."""
    monkeypatch.setattr(dividing, "_ANYWAY", 0)  # as for a message of any size
    body = b"\n" + unit * (4_000_000 // len(unit))

    def seconds(raw: bytes) -> float:
        begun = time.thread_time()
        parse(raw)
        return time.thread_time() - begun

    assert min(seconds(labelled_nest(label, body)) for _ in range(3)) < 0.25


def test_a_large_message_may_be_deep() -> None:
    """Boundaries are looked for at once, unless more lines than those of any mail might be boundaries."""
    root = parse(nested(limits.MIME_DEPTH) + b"\n--x\r--y" * 5000 + b"QUJD\n" * 3_000_000)
    assert depth(root) == limits.MIME_DEPTH
    assert "too-deep" not in defects(root)
    root = parse(nested(limits.MIME_DEPTH) + b"\n--x" * 4_000_000)
    assert depth(root) > 8
    assert "too-deep" in defects(root)
