"""ooxml: the macros and passwords of zipped documents; nothing about ordinary ones."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.documents import ole2_with_macro
from support.ole2 import ole2
from support.unpacked import unpacked

from sieveav.scanning.formats import ooxml
from sieveav.verdict import Status

CONTENT = b"what is hidden in here, " * 20
XML = b"<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\r\n"
MANIFEST = "META-INF/manifest.xml"


def package(**entries: bytes | str) -> dict[str, bytes]:
    """Entries whose names are as Python writes them: `__` is a slash."""
    return {
        name.replace("__", "/"): value.encode() if isinstance(value, str) else value for name, value in entries.items()
    }


def zipped(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def opc(main: str, kind: str, *others: str) -> dict[str, bytes]:
    """The entries of an OOXML package; `others` are parts with the types that they have in all packages."""
    types = "".join(
        f'<Override PartName="/{name}" ContentType="application/vnd.openxmlformats-officedocument.{kind}+xml"/>'
        for name in (main, *others)
    )
    return {
        "[Content_Types].xml": XML
        + b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        + b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        + b'<Default Extension="bin" ContentType="application/vnd.ms-office.activeX"/>'
        + types.encode()
        + b"</Types>",
        "_rels/.rels": XML + b'<Relationships><Relationship Id="rId1" Target="%b"/></Relationships>' % main.encode(),
        **dict.fromkeys((main, *others), XML + b"<document/>"),
    }


def odf(manifest: bytes = b"", **entries: bytes) -> dict[str, bytes]:
    files = b"".join(b'<manifest:file-entry manifest:full-path="%b"/>' % name.encode() for name in entries)
    return {
        "mimetype": b"application/vnd.oasis.opendocument.text",
        "content.xml": XML + b"<office:document-content/>",
        **package(**entries),
        MANIFEST: XML + b'<manifest:manifest manifest:version="1.3">' + files + manifest + b"</manifest:manifest>",
    }


DOCX = opc("word/document.xml", "wordprocessingml.document.main", "word/styles.xml", "word/theme/theme1.xml")
XLSX = opc("xl/workbook.xml", "spreadsheetml.sheet.main", "xl/worksheets/sheet1.xml", "xl/chartsheets/sheet1.xml")
PPTX = opc("ppt/presentation.xml", "presentationml.presentation.main", "ppt/slides/slide1.xml")

ORDINARY: dict[str, dict[str, bytes]] = {
    "docx": {**DOCX, "word/embeddings/oleObject1.bin": ole2({"\1CompObj": bytes(80), "CONTENTS": b"%PDF-1.4"})},
    "xlsx": {**XLSX, "xl/printerSettings/printerSettings1.bin": bytes(900), "xl/calcChain.xml": XML + b"<calcChain/>"},
    "pptx": {**PPTX, "ppt/media/image1.png": b"\x89PNG\r\n\x1a\n" + bytes(90), "ppt/embeddings/a.xlsx": zipped(XLSX)},
    "odt": odf(),
    "odt with empty libraries": odf(
        **{"Basic__script-lc.xml": XML, "Basic__Standard__script-lb.xml": XML, "Basic__": b""}
    ),
    "a web site": package(scripts__a_js=CONTENT, basic__a_txt=CONTENT, index_html=b"<html>"),
    "an e-book": package(mimetype=b"application/epub+zip", OEBPS__scripts__a_js=CONTENT),
    "nothing": {},
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_an_ordinary_document(kind: str) -> None:
    assert unpacked(zipped(ORDINARY[kind])).obstacles == []


def with_type(value: bytes) -> dict[str, bytes]:
    types = XLSX["[Content_Types].xml"].replace(b"</Types>", b'<Override ContentType="%b"/></Types>' % value)
    return {**XLSX, "[Content_Types].xml": types}


def utf_16(entries: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {**entries, name: entries[name].decode().encode("utf-16")}


SHEET = b"application/vnd.ms-excel.macrosheet+xml"
ENCRYPTED = b'<manifest:file-entry><manifest:encryption-data manifest:checksum-type="SHA1"/></manifest:file-entry>'


@pytest.mark.parametrize(
    ("entries", "status"),
    [
        ({**DOCX, "word/vbaProject.bin": b""}, Status.MACRO),
        ({**XLSX, "xl\\VBAPROJECT.BIN": b""}, Status.MACRO),
        ({**DOCX, "word/other.bin": ole2_with_macro()}, Status.MACRO),
        ({**XLSX, "xl/macrosheets/sheet1.xml": XML}, Status.MACRO),
        ({**XLSX, "XL/MacroSheets/sheet1.bin": b""}, Status.MACRO),
        ({**XLSX, "/xl\\macrosheets\\sheet1.bin": b""}, Status.MACRO),
        (with_type(SHEET), Status.MACRO),
        (with_type(b"application/vnd.ms-excel.macrosheet"), Status.MACRO),
        (with_type(b"application/vnd.ms-excel.intlmacrosheet+xml"), Status.MACRO),
        (with_type(SHEET.replace(b"m", b"&#109;").replace(b"s", b"&#x073;")), Status.MACRO),
        (utf_16(with_type(SHEET), "[Content_Types].xml"), Status.MACRO),
        (odf(Basic__Standard__Module1_xml=XML), Status.MACRO),
        (odf(Scripts__python__a_py=CONTENT), Status.MACRO),
        ({"content.xml": XML, "Basic/Standard/Module1.xml": XML}, Status.MACRO),
        ({MANIFEST: XML, "Basic/Standard/Module1.xml": XML}, Status.MACRO),
        (odf(b'<manifest:file-entry manifest:media-type="application/vnd.sun.star.basic-library"/>'), Status.MACRO),
        (odf(ENCRYPTED), Status.ENCRYPTED),
        (odf(ENCRYPTED.replace(b"manifest:", b"")), Status.ENCRYPTED),
        (odf(ENCRYPTED.replace(b"manifest:", b"m-1.x:")), Status.ENCRYPTED),
        (utf_16(odf(ENCRYPTED), MANIFEST), Status.ENCRYPTED),
    ],
)
def test_what_is_reported(entries: dict[str, bytes], status: Status) -> None:
    assert unpacked(zipped(entries)).statuses == {status}


def test_what_is_found() -> None:
    entries = {
        **DOCX,
        "word/embeddings/a.bin": ole2({"\1Ole10Native": bytes(4) + CONTENT}),
        "word/b.docx": zipped(DOCX),
    }
    layers = unpacked(zipped(entries)).layers
    assert layers["word/embeddings/a.bin/\1Ole10Native/data"] == CONTENT
    assert "word/b.docx/word/document.xml" in layers


def test_the_reason_names_the_document() -> None:
    for entries in (with_type(SHEET), odf(ENCRYPTED), {**DOCX, "word/vbaProject.bin": b""}):
        assert [obstacle.reason.partition(": ")[2] for obstacle in unpacked(zipped(entries), "a.b").obstacles] == [
            "a.b"
        ]


def test_a_list_that_is_too_large() -> None:
    """Nothing behind so many octets is looked at."""
    entries = {**XLSX, "[Content_Types].xml": XML + b" " * ooxml._LARGEST + SHEET}
    assert unpacked(zipped(entries)).statuses == {Status.LIMITS}


@pytest.mark.parametrize("text", [b"&", b"&#1;", b"&" + b"a" * 32, b"<", b"<a", b"&#" + b"9" * 5000 + b";"])
def test_a_hostile_list_takes_no_longer_than_another(text: bytes) -> None:
    entries = {**XLSX, "[Content_Types].xml": text * (400_000 // len(text))}
    assert unpacked(zipped(entries)).statuses <= {Status.UNSCANNABLE}


SAMPLES = [zipped(entries) for entries in (*ORDINARY.values(), with_type(SHEET), odf(ENCRYPTED))]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=100)
@given(st.sampled_from(SAMPLES), st.integers(0, 5000), st.binary(max_size=4))
def test_damage_raises_nothing(sample: bytes, at: int, octets: bytes) -> None:
    at %= len(sample)
    unpacked(sample[:at])
    unpacked(sample[:at] + octets + sample[at + len(octets) :])
