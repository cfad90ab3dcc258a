"""reading: the octets of an archive to frames, by libarchive; in a child of a helper process.

libarchive is used with the declarations of libarchive-c, but in a loop of our own: a warning is a fault, and so is an archive
without entries, or a member whose size is not the stated one.
"""

from __future__ import annotations

import errno
import hashlib
import io
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_int, c_longlong, c_size_t, c_ubyte, c_void_p
from functools import partial
from itertools import chain
from typing import NamedTuple

import rarfile
from libarchive import ffi
from libarchive.exception import ArchiveError

from sieveav.scanning.containers.frames import CLOSED, DATA, ENCRYPTED, LONGEST, MEMBER, NAME, UNUSUAL

Send = Callable[..., None]
"""Writes a frame: its kind, and its octets."""

SendMember = Callable[[bytes, Iterable[memoryview] | None], None]
"""Writes the frames of a member: its name, and its octets in chunks; None if they are encrypted."""


class Way(NamedTuple):
    """How libarchive reads a format: the formats and filters that it may take it for, and the options of each reading."""

    formats: tuple[str, ...]
    filters: tuple[str, ...] = ()
    readings: tuple[bytes, ...] = (b"",)


WAYS = {
    "7z": Way(("7zip",)),
    "ar": Way(("ar",)),
    "cab": Way(("cab",)),
    "compress": Way(("raw",), ("compress",)),
    "cpio": Way(("cpio",)),
    # A file may be in one tree of the disc only, and systems show different trees
    "iso": Way(("iso9660",), readings=(b"", b"!rockridge", b"!rockridge,!joliet")),
    "lz4": Way(("raw",), ("lz4",)),
    "lzh": Way(("lha",)),
    "rar": Way(("rar", "rar5")),
    "rpm": Way(("cpio",), ("rpm", "gzip", "bzip2", "xz", "lzma", "zstd")),
    "xar": Way(("xar",)),
}
"""Never `all`: a zip stored in a RAR would be read instead of the RAR, and some filters start programs."""

_FILES = (stat.S_IFREG, 0)
"""The types of files with content; ar has no types."""

_is_encrypted = ffi.ffi("entry_is_encrypted", [c_void_p], c_int)
_has_encrypted = ffi.ffi("read_has_encrypted_entries", [c_void_p], c_int)
_set_options = ffi.ffi("read_set_options", [c_void_p, c_char_p], c_int, ffi.check_int)


class _Locked(Exception):
    """The directory of the archive is encrypted."""


def read(kind: str, octets: bytes, send: Send) -> None:
    """Send what is in an archive. Any exception means that not all of it can be read; MemoryError that it needs too much."""
    way = WAYS[kind]
    try:
        if kind == "rar":
            _read_rar(way, octets, send)
        elif len(way.readings) > 1:
            _read_trees(way, octets, send)
        else:
            _read(way, b"", octets, partial(_send_member, send))
    except _Locked:
        send(ENCRYPTED)
    except ArchiveError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from error
        raise


def _read_rar(way: Way, octets: bytes, send: Send) -> None:
    """By two readers, which must agree: libarchive does not see which entries of RAR 5 are encrypted, or that there is another
    volume, and does not check every content."""
    try:
        with rarfile.RarFile(io.BytesIO(octets), errors="strict") as archive:
            files = [entry for entry in archive.infolist() if entry.is_file() and not entry.file_redir]
            if archive.needs_password() and not archive.infolist():
                raise _Locked
    except rarfile.Error:
        _read(way, b"", octets, partial(_send_member, send))  # a find outranks a fault
        raise
    if files and all(entry.needs_password() for entry in files):
        for entry in files:
            send(ENCRYPTED, entry.filename.encode("utf-8", "replace")[-NAME:])
        return
    left = iter(files)

    def send_checked(name: bytes, chunks: Iterable[memoryview] | None) -> None:
        entry = next(left)
        if entry.needs_password():
            chunks = None
        _send_member(send, name, None if chunks is None else _checked(chunks, entry.file_size, entry.CRC))

    _read(way, b"", octets, send_checked)
    if next(left, None):
        raise ValueError("two readers that disagree")


def _checked(chunks: Iterable[memoryview], size: int, crc: int | None) -> Iterator[memoryview]:
    """`chunks`; then ValueError if they have not this size and, unless that is not known, CRC-32."""
    total = value = 0
    for chunk in chunks:
        total += len(chunk)
        value = zlib.crc32(chunk, value)
        yield chunk
    if (total, value) != (size, value if crc is None else crc):
        raise ValueError("not the size or checksum it states")


def _read_trees(way: Way, octets: bytes, send: Send) -> None:
    """Each tree of a disc. A file that is in several of them is sent once, unless its name ends differently."""
    seen: set[tuple[bytes, bytes]] = set()

    def send_new(name: bytes, chunks: Iterable[memoryview] | None) -> None:
        held = io.BytesIO()
        try:
            for chunk in chunks or ():
                held.write(chunk)
        finally:  # what was read before a fault too
            content = held.getbuffer()
            file = (_extension(name), hashlib.sha256(content).digest())
            if file not in seen:
                seen.add(file)
                _send_member(send, name, _cut(content))

    for number, options in enumerate(way.readings):
        if number:
            send(UNUSUAL)
        _read(way, options, octets, send_new)


def _extension(name: bytes) -> bytes:
    """As far as all trees have it: three letters, without the number of a version."""
    _, dot, extension = name.rpartition(b"/")[2].partition(b";")[0].rpartition(b".")
    return extension[:3].lower() if dot else b""


def _send_member(send: Send, name: bytes, chunks: Iterable[memoryview] | None) -> None:
    if chunks is None:
        send(ENCRYPTED, name)
        return
    send(MEMBER, name)
    for chunk in chunks:
        send(DATA, chunk)
    send(CLOSED)


def _read(way: Way, options: bytes, octets: bytes, send_member: SendMember) -> None:
    """Send the members of an archive."""
    entries = warnings = 0
    with _opened(way, options, octets) as archive, _entry() as entry:
        while (status := _next(archive, entry)) != ffi.ARCHIVE_EOF:
            if "raw" in way.formats and ffi.filter_count(archive) < 2:
                raise ValueError("no filter knows it")
            entries += 1
            warnings += status != ffi.ARCHIVE_OK or _is_other_kind(entry)
            if _is_encrypted(entry) > 0:
                send_member(_name(entry), None)
            elif chunks := _chunks(archive, entry):
                send_member(_name(entry), chunks)
    if warnings or not entries:
        raise ValueError("not all of it was understood")


def _is_other_kind(entry: c_void_p) -> bool:
    """Whether it is another name of a file that was sent, but with another extension: it may be opened as another format."""
    target: bytes | None = ffi.entry_hardlink(entry)
    return target is not None and _extension(target) != _extension(_name(entry))


def _chunks(archive: c_void_p, entry: c_void_p) -> Iterator[memoryview] | None:
    """The content of an entry; None if it is a directory or a link, which has none."""
    if ffi.entry_filetype(entry) in _FILES and not ffi.entry_hardlink(entry):
        return _content(archive, ffi.entry_size(entry) if ffi.entry_size_is_set(entry) else None)
    chunks = _content(archive, None)
    first = next(chunks, None)
    return chain((first,), chunks) if first else None


@contextmanager
def _opened(way: Way, options: bytes, octets: bytes) -> Iterator[c_void_p]:
    """An archive of libarchive that has been opened."""
    archive = ffi.read_new()
    try:
        for format_ in way.formats:
            _must(ffi.get_read_format_function(format_)(archive))
        for filter_ in way.filters:
            _must(ffi.get_read_filter_function(filter_)(archive))
        _must(_set_options(archive, options))
        _must(ffi.read_open_memory(archive, c_char_p(octets), len(octets)))
        yield archive
    finally:
        ffi.read_free(archive)


def _must(status: int) -> None:
    """ValueError for a warning, such as that a program would be needed."""
    if status != ffi.ARCHIVE_OK:
        raise ValueError("a warning of libarchive")


@contextmanager
def _entry() -> Iterator[c_void_p]:
    entry = ffi.entry_new()
    try:
        yield entry
    finally:
        ffi.entry_free(entry)


def _next(archive: c_void_p, entry: c_void_p) -> int:
    """Read the header of the next entry; a status of libarchive."""
    try:
        return int(ffi.read_next_header2(archive, entry))
    except ArchiveError:
        if _has_encrypted(archive) > 0:
            raise _Locked from None
        raise


def _name(entry: c_void_p) -> bytes:
    name: bytes = ffi.entry_pathname(entry) or (ffi.entry_pathname_w(entry) or "").encode("utf-8", "replace")
    return name[-NAME:]


def _content(archive: c_void_p, size: int | None) -> Iterator[memoryview]:
    """The octets of an entry, in chunks that are valid until the next one. ValueError if they are not as many as `size`.

    The offsets of blocks are left out of account: no format here has sparse files, and those of XAR are wrong.
    """
    block, length, offset = c_void_p(), c_size_t(), c_longlong()
    total = 0
    while (status := ffi.read_data_block(archive, byref(block), byref(length), byref(offset))) == ffi.ARCHIVE_OK:
        total += length.value
        if block.value:
            yield from _cut(memoryview((c_ubyte * length.value).from_address(block.value)).cast("B"))
    if status != ffi.ARCHIVE_EOF:
        raise ValueError("a warning of libarchive")
    if size is not None and total != size:
        raise ValueError("not the size that it states")


def _cut(octets: memoryview) -> Iterator[memoryview]:
    return (octets[at : at + LONGEST] for at in range(0, len(octets), LONGEST))
