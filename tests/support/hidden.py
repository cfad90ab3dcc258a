"""hidden: messages in which something is hidden so that a mail client shows it, and ordinary ones beside them."""

from __future__ import annotations

import base64
import binascii
import bz2
import io
import quopri
import string
import tarfile
import zipfile
import zlib
from struct import pack

from support import tnef

_XX = bytes.maketrans(
    bytes(range(32, 96)), b"+-" + (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode()
)


def to_xxencode(octets: bytes) -> bytes:
    """The lines of xxencode, without the first and the last."""
    lines = (binascii.b2a_uu(octets[at : at + 45]).rstrip(b"\n") for at in range(0, len(octets), 45))
    return b"".join(line.translate(_XX) + b"\n" for line in lines)


HIDDEN = b"HIDDEN " * 9 + b"PAYLOAD"  # 70 octets
B64 = base64.b64encode(HIDDEN)
QP = b"".join(b"=%02X" % octet for octet in HIDDEN)
UU = binascii.b2a_uu(HIDDEN[:45]) + binascii.b2a_uu(HIDDEN[45:]) + b"`\nend\n"
XX = to_xxencode(HIDDEN)
YENC = bytes((octet + 42) & 255 for octet in HIDDEN)


def message(*lines: bytes) -> bytes:
    return b"From: a@example.com\n" + b"\n".join(lines) + b"\n"


def labelled(label: bytes, *body: bytes) -> bytes:
    return message(b"Content-Transfer-Encoding: " + label, b"", *body)


def typed(content_type: bytes) -> bytes:
    part = (b"--b", b"Content-Transfer-Encoding: base64", b"", B64, b"--b--")
    return message(b"Content-Type: " + content_type, b"", *part)


def labelled_header(*lines: bytes) -> bytes:
    """A header that goes on behind the label, and another body."""
    return message(b"Content-Transfer-Encoding: base64", *lines, b"", b"hello")


def with_part(content_type: bytes, body: bytes = b"Content-Transfer-Encoding: base64\n\n" + B64) -> bytes:
    part = (b"--b", b"Content-Type: " + content_type, b"", body, b"--b--")
    return message(b"Content-Type: multipart/mixed; boundary=b", b"", *part)


def attached(name: bytes, octets: bytes) -> bytes:
    head = b'Content-Disposition: attachment; filename="%s"' % name
    return message(head, b"Content-Transfer-Encoding: base64", b"", base64.encodebytes(octets))


def zipped(name: str, octets: bytes, *, large: str = "") -> bytes:
    """A zip archive, with the records for large ones in the "header" of the entry, or at the "end"."""
    stream = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if large else zipfile.ZIP_STORED
    with (
        zipfile.ZipFile(stream, "w", method) as archive,
        archive.open(name, "w", force_zip64=large == "header") as entry,
    ):
        entry.write(octets)
    made = stream.getvalue()
    if large != "end":
        return made
    start, end = made.index(b"PK\1\2"), made.index(b"PK\5\6")
    record = pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, end - start, start)
    return made[:end] + record + pack("<4sLQL", b"PK\6\7", 0, end, 1) + made[end:]


def tarred(name: str, octets: bytes, form: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(octets)
        archive.addfile(entry, io.BytesIO(octets))
    return stream.getvalue()


ATTACH = b"ATTACH;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=a.com"

IN_A_PART = b"--b\rContent-Transfer-Encoding: base64\r\r" + B64 + b"\n--b--"

EML = b"Content-Transfer-Encoding: base64\n\n" + B64
MHTML = b"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\n" + EML + b"\n--b--\n"

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
    "xxencode": message(b"", b"begin 644 a.com", XX, b"end"),
    "labelled x-xxencode": labelled(b"x-xxencode", b"begin 644 a.com", XX, b"end"),
    "a calendar": message(
        b"Content-Type: text/calendar", b"", b"BEGIN:VCALENDAR", ATTACH + b":" + B64, b"END:VCALENDAR"
    ),
    "a card": attached(b"a.vcf", b"BEGIN:VCARD\nPHOTO:data:image/png;base64," + B64 + b"\nEND:VCARD\n"),
    "yEnc": message(b"", b"=ybegin line=128 size=70 name=a.com", YENC, b"=yend size=70"),
    "labelled x-yencode": labelled(b"x-yencode", b"=ybegin line=128 size=70 name=a.com", YENC, b"=yend size=70"),
    "==58": labelled(b"quoted-printable", b"==" + QP[1:]),
    "an empty line before the header": b"\n" + labelled(b"base64", B64),
    # where the header ends
    "white space before a colon ends the header": labelled_header(B64 + b" :"),
    "white space before a colon ends the header, not `>From`": labelled_header(b">From x", B64 + b" :"),
    "an mbox line at the end of the header": labelled_header(b"From " + B64),
    "a quoted mbox line within the header": labelled_header(b">From 1234", B64 + b":"),
    "a line of white space ends the header": labelled_header(b" ", B64 + b":"),
    "white space before the first colon": b"Content-Transfer-Encoding : base64\n\n" + B64,
    "a folded line of white space": labelled(b"\n \n base64", B64),
    "a broken line in a message/...": with_part(
        b"message/feedback-report", b"Content-Transfer-Encoding: base64\n(\n" + B64
    ),
    "an encoded-word that few decode": labelled(b"=?us-ascii?b?cXVvdGVkLXByaW50YWJsZQ==base64?=", QP),
    # charsets
    **{
        f"charset {charset}": message(
            b"Content-Type: text/plain; charset=" + charset.encode(),
            b"Content-Transfer-Encoding: base64",
            b"",
            base64.encodebytes(HIDDEN.decode().encode(charset)),
        )
        for charset in ("utf-16", "utf-16-be", "utf-32", "cp037")
    },
    "charset utf-7": message(b"Content-Type: text/html; charset=UTF-7", b"", HIDDEN.replace(b"H", b"+AEg-")),
    "base64 in a multipart's own encoding": message(
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Transfer-Encoding: base64",
        b"",
        base64.encodebytes(b"--b\nContent-Transfer-Encoding: base64\n\n" + B64 + b"\n--b--\n"),
    ),
    # messages by their name
    **{f"{name!r} in zip": attached(b"a.zip", zipped(name, EML)) for name in ("a.eml", "a.eml.", "a.eml ", "a.nws")},
    **{
        f"a long name in tar, form {form}": attached(b"a.tar", tarred("d" * 90 + "/" + "n" * 80 + ".eml", EML, form))
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    },
    "in TNEF": attached(b"winmail.dat", tnef.tnef(tnef.file(b"a.eml", EML))),
    "in TNEF in TNEF": attached(b"winmail.dat", tnef.tnef(tnef.embedded(b"a", tnef.tnef(tnef.file(b"a.eml", EML))))),
    # messages by their fields
    "no name": attached(b"a", b"From: a\nTo: b\n" + EML),
    "no name, in zip": attached(b"a.zip", zipped("a", b"MIME-Version: 1.0\nContent-Type: text/plain\n" + EML)),
    "MHTML named .doc": attached(b"a.doc", MHTML),
    "MHTML named .doc, behind something else": attached(b"a.doc", b"%PDF-1.7\n\nendobj\n" + MHTML),
    # what not all scanners open of an archive
    **{f"zip64, {large}": attached(b"a.zip", zipped("a", HIDDEN, large=large)) for large in ("header", "end")},
    "bzip2 in two streams": attached(b"a.bz2", bz2.compress(b"hello") + bz2.compress(HIDDEN)),
    # archives behind something else
    "RAR 4": attached(b"a.exe", b"MZ" + bytes(999) + b"Rar!\x1a\x07\x00\xcf\x90\x73\x00\x00\x0d" + bytes(99)),
    "RAR 5": attached(b"a.rar", b"GIF89aRar!\x1a\x07\x01\x00\x33\x92\xb5\xe5\x0a\x01\x05\x06" + bytes(99)),
    "7z": attached(
        b"a.exe", b"MZ" + bytes(999) + b"7z\xbc\xaf\x27\x1c\0\4" + pack("<L", zlib.crc32(bytes(20))) + bytes(99)
    ),
    "cab": attached(b"a.exe", b"MZ" + bytes(999) + b"MSCF" + pack("<5L2B", 0, 600, 0, 44, 0, 3, 1) + bytes(99)),
    "UDF": attached(b"a.iso", bytes(0x8801) + b"NSR02" + bytes(2042)),
}


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
    "a quoted message": message(
        b"", b"From: a", b"Content-Type: multipart/mixed; boundary=a; boundary=b", b"", b"--a", b"x"
    ),
    "quoted headers": message(b"", b"From: a\nTo: b\nSubject: c\n\n" * 30),
    "headers of a bounce": message(
        b"Content-Type: text/rfc822-headers", b"", b"From: a\nTo: b\nContent-Type: multipart/mixed"
    ),
    "a patch": attached(b"0001-a.patch", b"From 0123 Mon Sep 17 00:00:00 2001\nFrom: a\nSubject: [PATCH] c\n\n---\n"),
    "an export as MHTML": attached(b"a.doc", b"Subject: Exported\n" + MHTML.replace(B64, b"aGVsbG8=")),
    "a program that names archives": attached(
        b"a.exe", b"MZ\0Rar!\x1a\x07\0Rar!\x1a\x07\1\0\x007z\xbc\xaf\x27\x1c\0MSCF\0\0\0\0"
    ),
    "white space before a colon": b"Subject : x\n" + labelled(b"base64", base64.encodebytes(b"hello")),
    "mbox lines": b"From a Mon\n>From b Tue\nFrom: a\nFrom c Wed\nTo: b\n\nhello\n",
    "a folded line of white space": b"Subject: x\n \n" + labelled(b"quoted-printable", b"hello"),
    "UTF-16": message(
        b"Content-Type: text/plain; charset=utf-16",
        b"Content-Transfer-Encoding: base64",
        b"",
        base64.b64encode("\u00e4".encode("utf-16")),
    ),
    "a picture within HTML": message(
        b"Content-Type: text/html", b"", b"<img src='data:image/png;base64,iVBORw0KGgo='>"
    ),
    "base64, as a word": message(b"Content-Type: text/html", b"", b"Write it in base64, please."),
    "a calendar": message(
        b"Content-Type: text/calendar", b"", b"BEGIN:VCALENDAR\nATTENDEE;X=B:mailto:a\nEND:VCALENDAR"
    ),
    "winmail.dat": attached(b"winmail.dat", tnef.tnef(tnef.file(b"a.txt", b"hello"), tnef.embedded(b"a", tnef.tnef()))),
}
