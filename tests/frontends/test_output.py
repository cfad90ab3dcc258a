"""output: prose, tables and colours on terminals of any width and elsewhere; JSON that every program can read."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command_line import Terminal

from sieveav.frontends.output import NARROWEST, PROSE, as_json, columns, counted, paint, prose, width

TEXT = """One sentence, which is long enough that it must be wrapped somewhere.
It goes on here.

* an item
  that goes on
* another item

    indented text     stays
"""


def test_prose() -> None:
    assert list(prose(TEXT, 40, "  ")) == [
        "  One sentence, which is long enough",
        "  that it must be wrapped somewhere. It",
        "  goes on here.",
        "",
        "  * an item that goes on",
        "  * another item",
        "",
        "      indented text     stays",
    ]
    assert list(prose("* " + "word " * 9, 20)) == ["* word word word", "  word word word", "  word word word"]
    assert list(prose("")) == []
    assert list(prose("x" * 50, 20)) == ["x" * 50]


@given(st.text(st.sampled_from("ab -*\n"), max_size=200), st.integers(10, 60))
def test_prose_changes_only_white_space(text: str, columns: int) -> None:
    lines = list(prose(text, columns))
    assert "".join(lines).split() == "".join(lines).split()
    assert "".join("".join(lines).split()) == "".join(text.split())


ROWS = [
    [("alice@example.com", ""), ("one two three four five six", ""), ("a.sieve:4", "")],
    [("", ""), ("seven", ""), ("a.sieve:5", "")],
]


def test_a_table_elsewhere_has_one_line_a_row() -> None:
    assert width() is None
    assert list(columns([*ROWS, [("x" * 50, ""), ("y" * 100, "")]], 2))[:2] == [
        f"  alice@example.com{' ' * 23}   one two three four five six{' ' * 13}   a.sieve:4",
        f"  {' ' * 40}   seven{' ' * 35}   a.sieve:5",
    ]


def test_a_table_on_a_terminal(terminal: Terminal) -> None:
    terminal(70)
    assert list(columns(ROWS, 2)) == [
        "  alice@example.com   one two three four five six   a.sieve:4",
        "                      seven                         a.sieve:5",
    ]
    terminal(40)
    assert list(columns(ROWS, 2)) == [
        "  alice@example.com",
        "      one two three four five six",
        "      a.sieve:4",
        "      seven",
        "      a.sieve:5",
    ]
    terminal(50)
    assert list(columns([[("name", ""), ("one two three four five six seven eight nine ten", "")]], 0)) == [
        "name   one two three four five six seven eight",
        "       nine ten",
    ]


def test_the_width(terminal: Terminal) -> None:
    terminal(3)
    assert width() == NARROWEST
    terminal(120)
    assert width() == 120
    assert NARROWEST < PROSE


def test_colours(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paint("x", "bad") == "x"
    terminal(colour=True)
    assert paint("x", "bad") == "\x1b[31mx\x1b[0m"
    assert paint("x", "") == "x"
    for variable, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as context:
            context.setenv(variable, value)
            assert paint("x", "bad") == "x"


def test_counted() -> None:
    assert [counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("m\udce9l", "m\\xe9l"),
        ("\udc80\udcff", "\\x80\\xff"),
        ("a\ud800b\udfff\udc7f", "a\ufffdb\ufffd\ufffd"),
        ("\U0001f600é\\ud", None),
    ],
)
def test_json_without_lone_surrogates(text: str, shown: str | None) -> None:
    value = {"message": text, text: [text, 1, None, (text,)]}
    expected = text if shown is None else shown
    printed = as_json(value)
    assert json.loads(printed) == {"message": expected, expected: [expected, 1, None, [expected]]}
    assert printed.isascii()
    json.loads(printed)["message"].encode()


def test_the_stream_is_that_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "77")
    assert width() == 77
