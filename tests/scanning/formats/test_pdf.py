"""pdf: attached files and scripts are found, a password is reported, and nothing is said about ordinary documents."""

from __future__ import annotations

import base64
import gzip
import io
import random
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from support.unpacked import damaged, unpacked

from sieveav.scanning.contract import Deadline
from sieveav.scanning.formats import pdf_password
from sieveav.scanning.layers import CHUNK, Budget
from sieveav.verdict import Status

CONTENT = b"what is hidden in here, " * 20
NOISE = random.Random(1).randbytes(3000)


def zipped(content: bytes = CONTENT) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.exe", content)
    return file.getvalue()


def gzipped(name: bytes) -> bytes:
    return b"\x1f\x8b\x08\x08" + bytes(6) + name + b"\0" + gzip.compress(CONTENT)[10:]


def stream(octets: bytes, dictionary: bytes = b"/Filter /FlateDecode", newline: bytes = b"\r\n") -> bytes:
    """An object with a stream of these octets as they are."""
    head = b"7 0 obj\n<< /Length %d %b >>\nstream%b" % (len(octets), dictionary, newline)
    return head + octets + b"\nendstream\nendobj\n"


def deflated(content: bytes, dictionary: bytes = b"") -> bytes:
    return stream(zlib.compress(content), dictionary + b" /Filter /FlateDecode")


def document(*objects: bytes, trailer: bytes = b"") -> bytes:
    end = b"trailer\n<< /Root 1 0 R %b >>\nstartxref\n9\n%%%%EOF\n" % trailer
    return b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n" + b"".join(objects) + end


NAMES = b"2 0 obj\n<< /Names << /EmbeddedFiles 3 0 R >> >>\nendobj\n"
FILE = b"/Type /EmbeddedFile /Subtype /application#2Fzip"
IN_OBJECTS = deflated(b"2 0 << /Names << /EmbeddedFiles 3 0 R >> >>", b"/Type /ObjStm /N 1 /First 4")
PICTURE = b"/Type /XObject /Subtype /Image /Width 9 /Height 9"


# ---- what is found

ENCODED = {
    "deflate": stream(zlib.compress(zipped())),
    "deflate, abbreviated": stream(zlib.compress(zipped()), b"/Filter/Fl"),
    "in a list": stream(zlib.compress(zipped()), b"/Filter [ /FlateDecode ] /DecodeParms [ null ]"),
    "with escapes": stream(zlib.compress(zipped()), b"/Filter /Fl#61teDecode"),
    "said elsewhere": stream(zlib.compress(zipped()), b"/Filter 9 0 R"),
    "behind a word in a string": stream(zlib.compress(zipped()), b"/Filter /FlateDecode /X (8 0 obj)"),
    "twice": stream(zlib.compress(zlib.compress(zipped())), b"/Filter [/FlateDecode /FlateDecode]"),
    "hexadecimal": stream(zipped().hex().encode() + b">", b"/Filter /ASCIIHexDecode"),
    "base 85": stream(base64.a85encode(zipped(), wrapcol=70) + b"~>", b"/Filter /ASCII85Decode"),
    "base 85, deflate": stream(
        base64.a85encode(zlib.compress(zipped())) + b"~>", b"/Filter [/ASCII85Decode /FlateDecode]"
    ),
    "not packed": stream(zipped(), b""),
    "with the word for its end in it": stream(zlib.compress(gzipped(b"endstream"), 0)),
    "a CR alone": stream(zlib.compress(zipped()), newline=b"\r"),
    "without an end": stream(zlib.compress(zipped()))[:-20],
    "a wrong checksum": stream(zlib.compress(zipped())[:-4] + b"sums"),
    "truncated": stream(zlib.compressobj().compress(b"") + zlib.compress(zipped(), 0)[2:-4].replace(b"\1", b"\0", 1)),
    "a file": stream(zlib.compress(zipped()), FILE + b"/Filter /FlateDecode"),
    "a picture": stream(zlib.compress(zipped()), PICTURE + b"/Filter /FlateDecode"),
}


@pytest.mark.parametrize("form", ENCODED)
@pytest.mark.parametrize("names", [NAMES, IN_OBJECTS, NAMES.replace(b"Embedded", b"Em#62edded")])
def test_an_attached_file(form: str, names: bytes) -> None:
    for data in (document(names, ENCODED[form]), b"\n" * 1000 + document(names, ENCODED[form])):
        result = unpacked(data)
        assert CONTENT in result.layers.values()
        assert result.obstacles == []


def test_base_85_in_chunks() -> None:
    content = (bytes(4) + NOISE) * 40
    packed = base64.a85encode(content)
    assert b"z" in packed
    assert unpacked(document(NAMES, stream(packed, b"/Filter /ASCII85Decode"))).layers == {"stream 1": content}


@pytest.mark.parametrize("name", [b"/S /JavaScript /JS 3 0 R", b"/XFA [3 0 R]"])
def test_a_script(name: bytes) -> None:
    result = unpacked(document(b"2 0 obj\n<< %b >>\nendobj\n" % name, deflated(CONTENT)))
    assert result.layers == {"stream 1": CONTENT}


def test_pages_and_objects() -> None:
    """Pictures are left out, and what is broken."""
    picture = deflated(CONTENT, PICTURE)
    broken = stream(zlib.compress(CONTENT)[:20] + NOISE)
    jpeg = stream(b"\xff\xd8\xff\xe0", PICTURE + b"/Filter /DCTDecode")
    objects = deflated(b"objects", b"/Type /ObjStm /First 4")
    data = document(deflated(b"one"), picture, broken, jpeg, objects, stream(b"in clear", b""), deflated(b"two"))
    result = unpacked(data)
    assert result.layers["objects"] == b"objects"
    assert result.layers["pages"].split(b"\n")[0] == b"one"
    assert result.layers["pages"].endswith(b"\ntwo")
    assert CONTENT not in result.layers["pages"]
    assert result.obstacles == []


# ---- what is reported


@pytest.mark.parametrize(
    "hidden",
    [
        stream(b"\x80\x0b\x60", FILE + b"/Filter /LZWDecode"),
        stream(b"\x80\x0b\x60", b"/Filter /LZWDecode"),
        stream(zlib.compress(b"\x80\x0b\x60"), b"/Filter [/FlateDecode /LZWDecode]"),
        stream(b"\xff\xd8", FILE + b"/Filter /DCTDecode"),
        deflated(CONTENT, FILE + b"/DecodeParms << /Predictor 12 >>"),
        deflated(CONTENT, b"/DecodeParms << /Predictor 2 >>"),
        stream(CONTENT.hex().encode(), b"/Filter /ASCIIHexDecode /Filter /FlateDecode"),
        stream(zlib.compress(CONTENT)[:20] + NOISE, b"/Filter /FlateDecode"),
        stream(NOISE, FILE + b"/Filter /FlateDecode"),
        deflated(b"7z\xbc\xaf\x27\x1c\0\4", FILE),
        deflated(zipped()[:-30], FILE),
    ],
)
def test_an_attached_file_that_cannot_be_opened(hidden: bytes) -> None:
    assert unpacked(document(NAMES, hidden)).statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize(
    "objects",
    [
        stream(zlib.compress(CONTENT), b"/First 4 /Filter /LZWDecode"),
        stream(zlib.compress(CONTENT), b"/Type /ObjStm /Filter /FlateDecode /DecodeParms << /Predictor 12 >>"),
        stream(zlib.compress(CONTENT)[:20] + NOISE, b"/Type /ObjStm /First 4 /Filter /FlateDecode"),
    ],
)
def test_objects_that_cannot_be_read(objects: bytes) -> None:
    assert unpacked(document(objects)).statuses == {Status.UNSCANNABLE}


# ---- passwords

OWNER = bytes.fromhex("457c769f39d8644199c0e5bdbcfbc85b37ce91cbde1fc1b0ea6b44f130436dd7")
IDENTIFIER = bytes.fromhex("29fe69bd9e8ceba6a07d1dec25b1b087")
SALT = "efe26c07ff0d21d7db0b33777738a5c6"
CHECKS = {
    "2": (
        b"/V 1 /R 2",
        "c858b8c2f2f8706d8b0c4ead1c208fa2dbb85da35d8a04650bb7d88b63dbeb6b",
        "1063bcd5bf319e43decdba2e0febe4e2021763c78a6721021e53f1aa36b9e971",
    ),
    "3, 40 bits": (
        b"/V 2 /R 3",
        "d881201d89dde99515a2f3a3a8a20191" + "00" * 16,
        "da293a382d856a3a61de9adb48fb4543" + "00" * 16,
    ),
    "3, 128 bits": (
        b"/V 2 /R 3 /Length 128",
        "0de0dc221dc7ab030fb2f20019d310a8" + "00" * 16,
        "11e536297a63c46371e1fa80bf05f79a" + "00" * 16,
    ),
    "4": (
        b"/V 4 /R 4 /CF << /StdCF << /CFM /AESV2 /Length 16 >> >>",
        "0de0dc221dc7ab030fb2f20019d310a8" + "00" * 16,
        "11e536297a63c46371e1fa80bf05f79a" + "00" * 16,
    ),
    "4, metadata in clear": (
        b"/V 4 /R 4 /EncryptMetadata false",
        "26bad1d10f217778930590c01268bd25" + "00" * 16,
        "38125d475353c37810aedbf07f0b6434" + "00" * 16,
    ),
    "5": (
        b"/V 5 /R 5 /Length 256",
        "5aeda8053bc801c2b7f5c150bc57890723cd938cc79889be7e88addb58328c57" + SALT,
        "1a93f655bdf3ba6ff5e39b1817f3ff10100fb3e13676680ed5e3e349d346f098" + SALT,
    ),
    "6": (
        b"/V 5 /R 6 /Length 256",
        "cc4205f2baafb1346f350773540932835fba7b5379f447721c3115b64baf0b50" + SALT,
        "56376b040812b6e047a1f9bcda19af080dd2cf9bc9a615630146edeb66ff9243" + SALT,
    ),
}
"""Each revision: entries of the dictionary, and what checks the empty password, and the password `secret`. Made with another
implementation of the ciphers."""


def hexadecimal(octets: bytes) -> bytes:
    return b"<" + octets.hex().encode() + b">"


def literal(octets: bytes) -> bytes:
    for octet in (b"\\", b"(", b")"):
        octets = octets.replace(octet, b"\\" + octet)
    return b"(" + octets.replace(b"\r", b"\\r").replace(b"\n", b"\\012") + b")"


def encrypted(entries: bytes, check: str, *objects: bytes, inline: bool = False, write: object = hexadecimal) -> bytes:
    as_text = literal if write is literal else hexadecimal
    dictionary = b"<< /Filter /Standard %b /P -1852 /O %b /U %b >>" % (
        entries,
        as_text(OWNER),
        as_text(bytes.fromhex(check)),
    )
    where = dictionary if inline else b"5 0 R"
    identifier = as_text(IDENTIFIER)
    unreadable = (
        stream(b"\x78\x9c" + NOISE),
        stream(b"\x78\x9c" + NOISE, b"/Type /ObjStm /First 4 /Filter /FlateDecode"),
    )
    objects = (*objects, b"5 0 obj\n" + dictionary + b"\nendobj\n15 0 obj\n<< >>\nendobj\n", *unreadable)
    return document(*objects, trailer=b"/Encrypt %b /ID [%b%b]" % (where, identifier, identifier))


@pytest.mark.parametrize("revision", CHECKS)
@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("write", [hexadecimal, literal])
def test_a_document_that_opens_for_everybody(revision: str, inline: bool, write: object) -> None:
    """It is encrypted, as its owner's password guards it against changes."""
    entries, empty, _ = CHECKS[revision]
    assert unpacked(encrypted(entries, empty, inline=inline, write=write)).obstacles == []


@pytest.mark.parametrize("revision", CHECKS)
def test_a_document_that_needs_a_password(revision: str) -> None:
    entries, empty, secret = CHECKS[revision]
    assert unpacked(encrypted(entries, secret)).statuses == {Status.ENCRYPTED}
    assert unpacked(encrypted(entries, empty[:10] + "00" + empty[12:])).statuses == {Status.ENCRYPTED}


@pytest.mark.parametrize(
    "trailer",
    [
        b"/Encrypt << /Filter /Adobe.PubSec /V 4 >>",
        b"/Encrypt << /Filter /Standard /R 7 >>",
        b"/Encrypt <<",
        b"/Encr#79pt << /Filter /Standard /V 1 /R 2 >>",
    ],
)
def test_other_ways_to_encrypt(trailer: bytes) -> None:
    assert unpacked(document(trailer=trailer)).statuses == {Status.ENCRYPTED}


def test_permissions_without_a_sign() -> None:
    entries, empty, _ = CHECKS["2"]
    assert unpacked(encrypted(entries, empty).replace(b"-1852", b"4294965444")).obstacles == []


def test_another_handler() -> None:
    entries, empty, _ = CHECKS["2"]
    assert unpacked(encrypted(entries, empty).replace(b"/Standard", b"/FOPN_fLock")).statuses == {Status.ENCRYPTED}


def test_two_dictionaries() -> None:
    """One of them needs a password, wherever it is."""
    entries, empty, secret = CHECKS["2"]
    opens, closed = encrypted(entries, empty, inline=True), encrypted(entries, secret, inline=True)
    for data in (opens + closed, closed + opens, opens * 5 + closed):
        assert unpacked(data).statuses == {Status.ENCRYPTED}


def test_very_many_dictionaries() -> None:
    text = b"".join(b"/Encrypt %d 0 R\n%d 0 obj<</R 6 /Filter /Standard>>endobj\n" % (n, n) for n in range(20_000))
    budget = Budget(Deadline.after(60))
    assert unpacked(document(text), budget=budget).statuses == {Status.ENCRYPTED}
    assert budget.deadline.left() > 30


def test_files_in_a_document_that_is_encrypted_and_opens_for_everybody() -> None:
    entries, empty, _ = CHECKS["3, 128 bits"]
    assert unpacked(encrypted(entries, empty, NAMES)).statuses == {Status.ENCRYPTED}
    assert unpacked(encrypted(entries, empty, b"<< /S /JavaScript >>")).obstacles == []


def test_a_dictionary_that_only_pretends() -> None:
    """Nothing is encrypted: what is in the document is found."""
    entries, empty, _ = CHECKS["2"]
    assert CONTENT in unpacked(encrypted(entries, empty, deflated(CONTENT))).layers["pages"]


def test_aes() -> None:
    """NIST SP 800-38A, F.2.1."""
    key, start = "2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f"
    plain = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    octets = pdf_password.aes_cbc(*map(bytes.fromhex, (key, start, plain)))
    assert octets.hex() == "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        (rb"(a(b)c)d", b"a(b)c"),
        (rb"(\(\)\\\n\101\1019\7)", b"()\\\nAA9\7"),
        (b"(a\\\r\nb\\\nc)", b"abc"),
        (rb"<41 4>", b"A@"),
        (b"<41", b""),
        (b"x(a)", b""),
        (b"(a", b"a"),
        (b"", b""),
    ],
)
def test_strings(text: bytes, octets: bytes) -> None:
    assert pdf_password.string(text, 0) == octets


# ---- ordinary documents

SCAN = stream(zlib.compress(bytes(30_000_000)), PICTURE + b"/Filter /FlateDecode")


@pytest.mark.parametrize(
    "data",
    [
        document(),
        document(SCAN, SCAN, SCAN, SCAN),
        document(NAMES, deflated(b"<xml/>", FILE), SCAN, SCAN),
        document(NAMES, *(deflated(start + NOISE, PICTURE) for start in (b"\x60\xea", b"\x1f\x9d", b"\x1f\x8b"))),
        document(*(deflated(start + NOISE) for start in (b"\x60\xea", b"\x1f\x9d", b"\x1f\x8b"))),
        document(NAMES, stream(zlib.compress(NOISE)[:-9])),
        document(NAMES, deflated(b"\2\1\0\0\1", b"/Type /XRef /DecodeParms << /Predictor 12 /Columns 4 >>")),
        document(NAMES, stream(b"\xff\xd8", PICTURE + b"/Filter /DCTDecode")),
        document(stream(b"\x80\x0b\x60", b"/Filter /LZWDecode")),
        document(NAMES, stream(b"\xff\xd8", b"/Width 9 /Height 9 /Filter [/DCTDecode]")),
        document(NAMES, stream(b"a stream " * 12_000, b"")),
        document(deflated(b"\x60\xea", b"/Type /ObjStm /First 4")),
        document(b"8 0 obj << /Title (of a stream, /Encrypt 5 0 R) >> endobj\n"),
        document(*(deflated(b"%d" % n, b"/Type /Glyph") for n in range(12_000))),
        document()[:500],
        b"%PDF-",
        b"Hello, a PDF begins with %PDF-1.7, and then has /Encrypt in its trailer.",
    ],
    ids=range(17),
)
def test_an_ordinary_document(data: bytes) -> None:
    assert unpacked(data).obstacles == []


def test_only_the_beginning_of_a_picture_is_unpacked() -> None:
    layers = unpacked(document(NAMES, SCAN)).layers
    assert [len(data) for data in layers.values()] == [CHUNK]


def test_no_document() -> None:
    assert unpacked(b"\n" * 1025 + document(NAMES, deflated(CONTENT))).layers == {}


# ---- hostile


def test_a_bomb() -> None:
    for names in (b"", NAMES):
        assert unpacked(document(names, deflated(bytes(60_000_000)))).statuses == {Status.LIMITS}
    twice = stream(zlib.compress(zlib.compress(bytes(60_000_000))), b"/Filter [/FlateDecode /FlateDecode]")
    assert unpacked(document(NAMES, twice)).statuses == {Status.LIMITS}


QUADRATIC = {
    "no end": b"<<>>stream\n" * 100_000,
    "ends": b"endstream" * 1_000_000,
    "the word": b"stream" * 1_000_000,
    "stated lengths": b"".join(
        b"<</Length %d>>stream\n" % (40 * (50_000 - n)) + b" " * 10 for n in range(50_000)
    ).ljust(2_000_100)
    + b"endstream",
    "brackets": b"<</Filter[" * 200_000 + b">>stream",
    "numbers": b"5 " * 500_000 + b"/Encrypt 5 5 R",
    "blanks": b"/Encrypt 5 0 R" + b"5 " + b" " * 1_000_000,
    "an identifier": b"/ID [" + b"(" * 1_000_000,
    "escapes": b"#41" * 500_000,
}


@pytest.mark.parametrize("shape", QUADRATIC)
def test_linear_time(shape: str) -> None:
    budget = Budget(Deadline.after(60))
    unpacked(document(QUADRATIC[shape]), budget=budget)
    assert budget.deadline.left() > 40


@pytest.mark.parametrize("shape", ["stated lengths", "ends"])
def test_more_than_allowed(shape: str) -> None:
    assert unpacked(document(QUADRATIC[shape])).statuses == {Status.LIMITS}


SAMPLES = [
    document(NAMES, *ENCODED.values()),
    document(IN_OBJECTS, deflated(CONTENT, FILE)),
    *(encrypted(entries, empty) for entries, empty, _ in CHECKS.values() if b"/R 6" not in entries),
]


@pytest.mark.parametrize("sample", SAMPLES)
def test_truncated_anywhere(sample: bytes) -> None:
    for end in range(0, len(sample), 41):
        assert unpacked(sample[:end]).statuses <= {Status.UNSCANNABLE, Status.ENCRYPTED}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=200)
@given(damaged(SAMPLES, 2**14, 9))
def test_damage_raises_nothing(octets: bytes) -> None:
    unpacked(octets)
