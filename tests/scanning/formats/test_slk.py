"""slk: Excel 4 macros in SYLK."""

from __future__ import annotations

import pytest
from support.unpacked import unpacked

from sieveav.verdict import Status

SYLK = b'ID;PWXL;N;E\r\nP;PGeneral\r\n%bF;P0;DG0G8;M255\r\nB;Y3;X2;D0 0 2 1\r\nC;Y1;X1;K"E"\r\nE\r\n'


@pytest.mark.parametrize(
    "record",
    [b"O;E\r\n", b"O;L;D;V0;K47;E\r\n", b" o;e \n", b"\nO;E;L\r", b"NN;NAuto_open;ER101C1\r\n", b"nn;g;nAUTO_CLOSE\n"],
)
def test_macros(record: bytes) -> None:
    assert unpacked(SYLK % record).statuses == {Status.MACRO}


def test_options_at_the_end() -> None:
    assert unpacked(b"ID;P\nO;E").statuses == {Status.MACRO}


@pytest.mark.parametrize(
    "record", [b"", b"O;L;D;V0;K47;G100 0.001\r\n", b"NN;NTotal;ER1C1\r\n", b"O;Elisabeth\r\n", b"NO;E\r\n"]
)
def test_an_ordinary_table(record: bytes) -> None:
    assert unpacked(SYLK % record).obstacles == []


@pytest.mark.parametrize("text", [b"Hello,\r\nO;E\r\n", b"id;a;b\r\nO;E\r\n", b"ID;Name;Place\r\n1;Otto;Essen\r\n"])
def test_other_texts(text: bytes) -> None:
    assert unpacked(text).obstacles == []


@pytest.mark.parametrize("piece", [b"\nO;", b";x", b"\nNN;", b"\n ", b"O;;"])
def test_a_hostile_text_does_not_hang(piece: bytes) -> None:
    assert unpacked(b"ID;P\nO;" + piece * 300_000 + b"x").obstacles == []
