"""What is hidden so that a mail client shows it, and a scanner that reads the message in one way only does not see it; and
ordinary mail beside it, which is clean."""

from __future__ import annotations

import base64
import binascii
import quopri

import pytest

from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.layers import Budget, Layer
from sieveav.scanning.unpacking import layers
from sieveav.verdict import Status

HIDDEN = b"HIDDEN " * 9 + b"PAYLOAD"  # 70 octets
B64 = base64.b64encode(HIDDEN)
QP = b"".join(b"=%02X" % octet for octet in HIDDEN)
UU = binascii.b2a_uu(HIDDEN[:45]) + binascii.b2a_uu(HIDDEN[45:]) + b"`\nend\n"
YENC = bytes((octet + 42) & 255 for octet in HIDDEN)


def seen(raw: bytes) -> tuple[bool, set[Status]]:
    """Whether the payload is in a layer of the message; and the statuses of what cannot be opened."""
    items = list(layers(Content(raw), Budget(Deadline.after(60))))
    found = any(HIDDEN in item.data for item in items if isinstance(item, Layer))
    return found, {item.status for item in items if not isinstance(item, Layer)}


def message(*lines: bytes) -> bytes:
    return b"From: a@example.com\n" + b"\n".join(lines) + b"\n"


def labelled(label: bytes, *body: bytes) -> bytes:
    return message(b"Content-Transfer-Encoding: " + label, b"", *body)


def typed(content_type: bytes) -> bytes:
    part = (b"--b", b"Content-Transfer-Encoding: base64", b"", B64, b"--b--")
    return message(b"Content-Type: " + content_type, b"", *part)


def with_part(content_type: bytes) -> bytes:
    part = (b"--b", b"Content-Type: " + content_type, b"", b"Content-Transfer-Encoding: base64", b"", B64, b"--b--")
    return message(b"Content-Type: multipart/mixed; boundary=b", b"", *part)


IN_A_PART = b"--b\rContent-Transfer-Encoding: base64\r\r" + B64 + b"\n--b--"

MESSAGES = {
    # a line end that only some see
    "CR: a part": message(b"Content-Type: multipart/mixed; boundary=b", b"", b"--b", b"", b"hi\r" + IN_A_PART),
    "CR: uuencode": message(b"", b"hi\rbegin 644 a.com\r" + UU.replace(b"\n", b"\r") + b"bye"),
    "CR: yEnc": message(b"", b"hi\r=ybegin line=128 size=70 name=a\r" + YENC + b"\r=yend size=70\r"),
    "CR: a soft line break": labelled(b"quoted-printable", b"=\r" + QP),
    # base64
    "padding in the first group": labelled(b"base64", B64[:1] + b"=" + B64[1:]),
    "a group of padding first": labelled(b"base64", b"QU=A" + B64),
    "padded lines": labelled(b"base64", b"QQ==", B64),
    "single paddings": labelled(b"base64", b"=" + b"=".join(B64[at : at + 8] for at in range(0, len(B64), 8))),
    # the label
    "a comment before base64": labelled(b"(c) base64", B64),
    "base64,": labelled(b"base64,", B64),
    "base64x": labelled(b"base64x", B64),
    "base64.": labelled(b"base64.", B64),
    "quoted-printable,": labelled(b"quoted-printable,", QP),
    "an encoded-word": labelled(b"=?us-ascii?q?base64?=", B64),
    "a comment before quoted-printable": labelled(b"(c) quoted-printable", QP),
    "an unknown label": labelled(b"gzip64", B64),
    # the type
    "(c) multipart/mixed": typed(b"(c) multipart/mixed; boundary=b"),
    "multipart(c)/mixed": typed(b"multipart(c)/mixed; boundary=b"),
    "multipart/": typed(b"multipart/; boundary=b"),
    "multipart": typed(b"multipart; boundary=b"),
    "a no-break space before the type": typed("\u00a0multipart/mixed; boundary=b".encode()),
    "U+2028 before the type": typed("\u2028multipart/mixed; boundary=b".encode()),
    # messages in messages
    "message/news": with_part(b"message/news"),
    "message/http": with_part(b"message/http"),
    "message/x-any": with_part(b"message/x-any"),
    "message/delivery-status": with_part(b"message/delivery-status"),
    # uuencode and yEnc
    **{
        f"labelled x-uuencode, {begin.decode()!r}": labelled(b"x-uuencode", begin, UU)
        for begin in (b"begin 6 a", b"begin 0000644 a", b"begin a", b"begin 644 a")
    },
    **{
        f"text, {begin.decode()[:12]!r}": message(b"", b"hi", begin, UU)
        for begin in (b"begin 644 a.com", b"begin 644 ", b"begin 644 " + b"a" * 300, b"begin 0644 a.com")
    },
    "uuencode that ends like a zip archive": message(b"", b"begin 644 a.com", UU, b"PK\5\6"),
    "yEnc": message(b"", b"=ybegin line=128 size=70 name=a.com", YENC, b"=yend size=70"),
    "labelled x-yencode": labelled(b"x-yencode", b"=ybegin line=128 size=70 name=a.com", YENC, b"=yend size=70"),
    "==58": labelled(b"quoted-printable", b"==" + QP[1:]),
    "an empty line before the header": b"\n" + labelled(b"base64", B64),
    "base64 in a multipart's own encoding": message(
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Transfer-Encoding: base64",
        b"",
        base64.encodebytes(b"--b\nContent-Transfer-Encoding: base64\n\n" + B64 + b"\n--b--\n"),
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_hidden(case: str, newline: bytes) -> None:
    """It is found, or the message is not clean."""
    found, statuses = seen(MESSAGES[case].replace(b"\n", newline))
    assert found or statuses


FOOTER = b"\n_______________\nlist mailing list\nlist@example.com\n"

ORDINARY = {
    "text": message(b"", b"hello"),
    "a bare CR in text": message(b"", b"progress 10%\rprogress 20%\rdone"),
    "a bare CR before a word of mail": message(b"", b"he said\rfrom here on"),
    "base64 with a footer": labelled(b"base64", B64, FOOTER),
    "a label like utf-8": labelled(b"utf-8", b"hello"),
    "8 bit": labelled(b"8 bit", b"hello"),
    "none": labelled(b"none", b"hello"),
    "an unknown label": labelled(b"x-unknown", b"hello, world = everything"),
    "quoted-printable": labelled(b"quoted-printable", quopri.encodestring("Grüße == =\n".encode())),
    "a bounce": with_part(b"message/delivery-status").replace(b"Content-Transfer-Encoding: base64", b"Status: 5.1.1"),
    "a line that begins": message(b"", b"begin with the first", b"end"),
    "a type without a subtype": message(b"Content-Type: text", b"", b"hello"),
    "a name without quotes": message(b"Content-Type: application/pdf; name=a b c.pdf", b"", b"hello"),
}


@pytest.mark.parametrize("case", ORDINARY)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_ordinary(case: str, newline: bytes) -> None:
    assert seen(ORDINARY[case].replace(b"\n", newline))[1] == set()


def test_an_archive_below_which_a_list_has_put_its_footer() -> None:
    """Decoders differ in where base64 ends: for some, the archive is broken by what is behind it."""
    import io
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", HIDDEN * 5)
    body = base64.encodebytes(stream.getvalue())
    assert seen(labelled(b"base64", body, FOOTER)) == (True, set())
