"""flat_opc: the files in base64 within XML, and ActiveMime; nothing about ordinary XML and HTML."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.documents import ole2_with_macro
from support.unpacked import unpacked

from sieveav.verdict import Status

CONTENT = b"what is hidden in here, " * 20 + b"!"
BASE64 = base64.encodebytes(CONTENT)

OPC = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n<?mso-application progid="Word.Document"?>\r\n'
    b'<pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage">'
    b'<pkg:part pkg:name="/word/document.xml"><pkg:xmlData><w:document/></pkg:xmlData></pkg:part>'
    b'<pkg:part pkg:name="/word/a.bin" pkg:compression="store"><pkg:binaryData>%b</pkg:binaryData></pkg:part></pkg:package>'
)


def element(start: bytes, text: bytes = BASE64) -> bytes:
    return b"<?xml version='1.0'?><doc>" + start + text + b"</x></doc>"


def referring(text: bytes) -> bytes:
    return text.replace(b"\n", b"&#xD;&#13;\n")


@pytest.mark.parametrize(
    "text",
    [
        OPC % BASE64,
        OPC % referring(BASE64),
        (OPC % BASE64).decode().encode("utf-16"),
        (OPC % BASE64).decode().encode("utf-16-be"),
        b"\xef\xbb\xbf\r\n" + OPC % BASE64,
        element(b'<w:binData w:name="a.mso" xml:space="preserve">'),
        element(b"<binData\n>"),
        element(b"<VBProjectData>"),
        element(b"<office:binary-data>"),
        element(b"<a.b-c:binData a='>' b=\"<\">"),
        element(b"<w:binData>", BASE64[:9] + b"<!-- A > --><? A ?>" + BASE64[9:]),
        element(b"<w:binData>", b"<![CDATA[" + BASE64[:90] + b"<!--]]>" + BASE64[90:]),
        element(b"<w:binData>", BASE64.replace(b"\n", b"*-*")),
        element(b"<w:binData>", BASE64.rstrip(b"=\n")),
        element(b"<w:binData>", BASE64 + b"AAA"),
        element(b"<w:binData>", b"\n" + BASE64.rstrip(b"=\n")),
        element(b"<w:binData/><w:binData>QQ==</w:binData><w:binData>"),
    ],
)
def test_what_is_found(text: bytes) -> None:
    result = unpacked(text)
    assert any(data.startswith(CONTENT) for data in result.layers.values())
    assert result.obstacles == []


def test_each_file_has_a_name() -> None:
    assert list(unpacked(OPC % BASE64 + OPC % BASE64).layers) == ["file 1", "file 2"]


@pytest.mark.parametrize("text", [b"&#x51;" + BASE64, b"&entity;" + BASE64])
def test_references_that_are_not_white_space(text: bytes) -> None:
    assert unpacked(OPC % text).statuses == {Status.UNSCANNABLE}


# ---- macros


def active_mime(content: bytes, at: int = 50) -> bytes:
    return b"ActiveMime".ljust(at, b"\0") + zlib.compress(content) + b"end"


MODULE = (
    b"<?xml version='1.0'?><office:document xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0'>"
    b"<office:scripts><ooo:libraries><ooo:module ooo:name='a'>%b</ooo:module></ooo:libraries></office:scripts>"
)


@pytest.mark.parametrize(
    "data",
    [
        OPC % base64.encodebytes(ole2_with_macro()),
        active_mime(ole2_with_macro()),
        active_mime(ole2_with_macro(), 1000),
        b"ActiveMime\0\0\x78\x01\x78\x9c.." + zlib.compress(ole2_with_macro()),
        element(b"<w:binData>", base64.encodebytes(active_mime(ole2_with_macro()))),
        MODULE % b"<ooo:source-code>Sub Main</ooo:source-code>",
    ],
)
def test_macros(data: bytes) -> None:
    assert unpacked(data).statuses == {Status.MACRO}


def test_active_mime() -> None:
    assert unpacked(active_mime(CONTENT)).layers == {"content": CONTENT}
    assert unpacked(b"ActiveMime\0" + zlib.compress(b"") + zlib.compress(CONTENT)).layers == {"content": CONTENT}
    assert unpacked(active_mime(CONTENT)[:-9]).statuses == {Status.UNSCANNABLE}
    assert unpacked(b"ActiveMime\0 nothing").statuses == {Status.UNSCANNABLE}


# ---- ordinary texts

OUTLOOK = (
    b'<html xmlns:v="urn:schemas-microsoft-com:vml" xmlns:m="http://schemas.microsoft.com/office/2004/12/omml">'
    b'<body>Word writes <b>pkg:name="/word/vbaProject.bin"</b> and macrosPresent="yes" &amp; binData, '
    b'<a href="https://schemas.microsoft.com/">see</a> &lt;binData&gt;</body></html>'
)


@pytest.mark.parametrize(
    "text",
    [
        OUTLOOK,
        MODULE % b"",
        element(b"<ooo:source-code>", b"Sub Main"),
        OPC % b"",
        element(b"<w:binData/>", b"some text &amp; more"),
        b"<svg><image xlink:href='cid:iVBORw0KGgo='/></svg>",
        b"ActiveMime is how Word stores macros.",
        b"He wrote: <binData>" + BASE64 + b"</binData>",
        b"<",
    ],
)
def test_an_ordinary_text(text: bytes) -> None:
    result = unpacked(text)
    assert result.obstacles == []
    assert not any(result.layers.values())


# ---- hostile texts


def test_more_files_than_members() -> None:
    assert unpacked(element(b"<a:binData>" * 11_000)).statuses == {Status.LIMITS}


@pytest.mark.parametrize(
    "piece",
    [b"<binData ", b"<binData '", b'<binData "<', b"<!--", b"<![CDATA[", b"<?", b"]]>", b"&#9;", b"<a:", b"<!---->"],
)
def test_a_hostile_text_does_not_hang(piece: bytes) -> None:
    text = piece * (1_000_000 // len(piece))
    unpacked(b"<binData>" + text)
    unpacked(b"<x " + text)


@given(
    st.lists(
        st.sampled_from([OPC, BASE64, b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<binData>", b"&", b"<", b"\0", b"'"])
    )
)
def test_any_text_raises_nothing(pieces: list[bytes]) -> None:
    unpacked(b"<" + b"".join(pieces))
