"""The wire half of clamav: octets in, an answer out; only one octet string is clean."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sieveav.engines import clamav_wire as wire
from sieveav.scanning.contract import Content
from sieveav.scanning.naming import CLAMAV, classify
from sieveav.verdict import Status, Verdict

OK = b"stream: OK\0"

WORDS = st.sampled_from([b"stream: ", b"OK", b"\0", b" FOUND", b" ERROR", b"\n", b"\r", b" ", b"fd[1]: ", b"NOT "])


@given(st.binary() | st.lists(WORDS | st.binary(max_size=3), max_size=8).map(b"".join), st.booleans())
@example(b"stream: OK", True)
@example(OK + OK, True)
@example(OK + b"\n", True)
@example(b"stream: OK\n", True)
@example(b"stream: NOT OK\0", True)
@example(b"foo: OK\0", True)
@example(b" stream: OK\0", True)
@example(b"STREAM: OK\0", True)
@example(b"OK\0", True)
@example(b"", True)
@example(OK, False)
def test_only_the_exact_reply_to_the_whole_content_is_clean(reply: bytes, complete: bool) -> None:
    answer = wire.answer(reply, complete=complete)
    assert (answer.status is Status.CLEAN) == (reply == OK and complete)
    assert "\n" not in Verdict("clamav", answer.status, answer.info).info


@pytest.mark.parametrize(
    ("reply", "status", "info"),
    [
        (b"stream: Eicar-Test-Signature FOUND\0", Status.INFECTED, "Eicar-Test-Signature"),
        (b"stream: (null) FOUND\0", Status.INFECTED, "(null)"),
        (b"stream:  FOUND\0", Status.INFECTED, "unknown"),
        (b"stream: \xff\xfe FOUND\0", Status.INFECTED, "unknown"),
        (b"stream: Win.X(44d88612fea8a8f36de82e1278abb02f:68) FOUND\0", Status.INFECTED, "Win.X"),
        (b"stream: Win.X(odd) FOUND\0", Status.INFECTED, "Win.X(odd)"),
        (b"stream: a FOUND FOUND\0", Status.INFECTED, "a FOUND"),
        (b"stream: a\r\nX-Evil: 1;b FOUND\0", Status.INFECTED, "aX-Evil: 1;b"),
        (b"stream: OK FOUND\0", Status.INFECTED, "OK"),
        (b"INSTREAM size limit exceeded. ERROR\0", Status.LIMITS, "INSTREAM size limit exceeded"),
        (b"stream: Can't allocate memory ERROR\0", Status.ERROR, "Can't allocate memory"),
        (b"Error writing to temporary file ERROR\0", Status.ERROR, "Error writing to temporary file"),
        (b"ENGINE VERSION MISMATCH: 1 != 2. ERROR\0", Status.ERROR, "ENGINE VERSION MISMATCH: 1 != 2."),
        (b"UNKNOWN COMMAND\0", Status.ERROR, "UNKNOWN COMMAND"),
        (b"COMMAND UNAVAILABLE\0", Status.ERROR, "COMMAND UNAVAILABLE"),
        (b"COMMAND READ TIMED OUT\n", Status.ERROR, "COMMAND READ TIMED OUT"),
        (b"ERROR\0", Status.ERROR, "ERROR"),
        (b"", Status.ERROR, "no reply"),
        (b"stream: OK", Status.ERROR, "reply cut short: stream: OK"),
        (b"stream: X FOUND", Status.ERROR, "reply cut short: stream: X FOUND"),
        (b"stream: X FOUND\0\0", Status.ERROR, None),
        (OK + b"stream: X FOUND\0", Status.ERROR, "more than one reply: stream: OKstream: X FOUND"),
        (b"x" * 5000, Status.ERROR, "reply too long"),
    ],
)
def test_replies(reply: bytes, status: Status, info: str | None) -> None:
    answer = wire.answer(reply)
    verdict = Verdict("clamav", answer.status, answer.info)
    assert verdict.status is status
    if info is not None:
        assert verdict.info == info


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Heuristics.Encrypted.Zip", Status.ENCRYPTED),
        ("Heuristics.OLE2.ContainsMacros.VBA", Status.MACRO),
        ("Heuristics.OLE2.ContainsMacros", Status.MACRO),
        ("Heuristics.Limits.Exceeded", Status.LIMITS),
        ("Heuristics.Limits.Exceeded.MaxFiles", Status.LIMITS),
        ("PUA.Win.Tool", Status.SUSPICIOUS),
        ("Heuristics.Phishing.Email.Cloaked.X", Status.SUSPICIOUS),
        ("Heuristics.Structured.SSN", Status.SUSPICIOUS),
        ("Heuristics.Broken.Executable", Status.SUSPICIOUS),
        ("Sanesecurity.Spam.1.UNOFFICIAL", Status.INFECTED),
        ("(null)", Status.INFECTED),
    ],
)
def test_classes(name: str, status: Status) -> None:
    assert classify(name, CLAMAV) is status


@pytest.mark.parametrize("reply", [b"stream: X FOUND\0", b"INSTREAM size limit exceeded. ERROR\0"])
def test_a_find_or_fault_counts_although_the_content_was_not_sent_whole(reply: bytes) -> None:
    assert wire.answer(reply, complete=False) == wire.answer(reply)


@given(st.binary(max_size=3000), st.booleans())
def test_chunks_are_the_content(content: bytes, is_message: bool) -> None:
    sent = b"".join(wire.chunks(Content(content, is_message=is_message).pieces)) + wire.END
    received = b""
    while size := struct.unpack_from("!L", sent)[0]:
        received += sent[4 : 4 + size]
        sent = sent[4 + size :]
    assert sent == wire.END
    assert received == (b"Received: from sieveav\n" if is_message else b"") + content
