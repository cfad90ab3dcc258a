"""mailstores: a message in pieces, as it is written into a Maildir."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieveav.frontends import mailstores
from sieveav.frontends.mailstores import Maildirs
from sieveav.running.effects import Store

OCTETS = st.lists(st.sampled_from([b"\r", b"\n", b"x", b"\r\n", b"\r\r\n"]), max_size=20).map(b"".join)


@given(OCTETS, OCTETS, st.integers(1, 4))
def test_line_ends_of_files(trace: bytes, message: bytes, size: int) -> None:
    """Wherever the pieces end."""
    with mock.patch.object(mailstores, "PIECE", size):
        written = b"".join(mailstores._in_lf(trace, message))
    assert written == trace.replace(b"\r\n", b"\n") + message.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("length", [0, 1, 65535, 65536, 65537, 200_000])
def test_the_size_is_that_of_the_file(tmp_path: Path, length: int) -> None:
    store = Maildirs(f"{tmp_path}/%n", make=True)
    message = (b"a\r\n" * length)[:length]
    assert store.store("alice@example.com", "", Store(), message, b"X: y\r\n") is None
    (file,) = (tmp_path / "alice" / "new").iterdir()
    assert file.read_bytes() == b"X: y\n" + message.replace(b"\r\n", b"\n")
    assert int(file.name.rpartition("S=")[2]) == file.stat().st_size
