"""What is hidden so that a mail client shows it, and a scanner that reads the message in one way only does not see it; and
ordinary mail beside it, which is clean."""

from __future__ import annotations

import base64
import io
import zipfile

import pytest
from support.hidden import FOOTER, HIDDEN, MESSAGES, ORDINARY, labelled

from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.layers import Budget, Layer
from sieveav.scanning.unpacking import layers
from sieveav.verdict import Status


def seen(raw: bytes) -> tuple[bool, set[Status]]:
    """Whether the payload is in a layer of the message; and the statuses of what cannot be opened."""
    items = list(layers(Content(raw), Budget(Deadline.after(60))))
    found = any(HIDDEN in item.data for item in items if isinstance(item, Layer))
    return found, {item.status for item in items if not isinstance(item, Layer)}


@pytest.mark.parametrize("case", MESSAGES)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_hidden(case: str, newline: bytes) -> None:
    """It is found, or the message is not clean."""
    found, statuses = seen(MESSAGES[case].replace(b"\n", newline))
    assert found or statuses


@pytest.mark.parametrize("case", ORDINARY)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_ordinary(case: str, newline: bytes) -> None:
    assert seen(ORDINARY[case].replace(b"\n", newline))[1] == set()


def test_an_archive_below_which_a_list_has_put_its_footer() -> None:
    """Decoders differ in where base64 ends: for some, the archive is broken by what is behind it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", HIDDEN * 5)
    body = base64.encodebytes(stream.getvalue())
    assert seen(labelled(b"base64", body, FOOTER)) == (True, set())
