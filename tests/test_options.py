"""Options: written text to a value, and a value to the text that it is written as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieveav.options import (
    BOOLEAN,
    DIRECTORY,
    DURATION,
    FILE,
    FILES,
    INTEGER,
    PATH,
    SECONDS,
    SIZE,
    TEXT,
    TEXTS,
    Option,
    ValueType,
    integer,
    one_of,
)

SHOWN: list[tuple[ValueType, Any, str]] = [
    (BOOLEAN, True, "true"),
    (BOOLEAN, False, "false"),
    (INTEGER, 7, "7"),
    (integer(0, 9), 0, "0"),
    (SECONDS, 10.0, "10"),
    (SECONDS, 1.5, "1.5"),
    (SECONDS, 90.0, "90"),
    (SECONDS, 0.000001, "0.000001"),
    (SECONDS, 260.0, "260"),
    (SECONDS, 3600.0, "1h"),
    (DURATION, 180.0, "3m"),
    (SECONDS, 1209600.0, "2w"),
    (SECONDS, 0.0, "0"),
    (SIZE, 4 << 20, "4m"),
    (SIZE, 1000, "1000"),
    (SIZE, (1 << 60) + 1, "1152921504606846977"),
    (TEXT, "a b", '"a b"'),
    (TEXT, 'a "b" \\', '"a \\"b\\" \\\\"'),
    (TEXT, "", '""'),
    (TEXTS, ("a", "b"), '( "a" "b" )'),
    (TEXTS, (), "( )"),
    (FILE, Path("/etc/x"), '"/etc/x"'),
    (FILE, None, ""),
    (one_of("pass", "reject"), "pass", '"pass"'),
]


@pytest.mark.parametrize(("kind", "value", "shown"), SHOWN)
def test_a_value_is_shown_as_it_is_written(kind: ValueType, value: Any, shown: str) -> None:
    assert kind.show(value) == shown


@given(st.floats(0, 10**9) | st.integers(0, 10**12 - 1).map(float))
def test_what_is_shown_is_read_as_the_same_time(seconds: float) -> None:
    seconds = round(seconds, 6)
    assert SECONDS.read(SECONDS.show(seconds)) == seconds


@given(st.integers(0, 10**14))
def test_what_is_shown_is_read_as_the_same_size(size: int) -> None:
    assert SIZE.read(SIZE.show(size)) == size


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (BOOLEAN, "maybe"),
        (INTEGER, "-1"),
        (INTEGER, "1.5"),
        (SECONDS, "1 h"),
        (DURATION, "0"),
        (SIZE, "1t"),
        (FILE, ""),
        (PATH, ""),
        (one_of("a", "b"), "c"),
        (integer(1, 9), "10"),
    ],
)
def test_values_that_are_refused(kind: ValueType, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        kind.read(text)


def test_one_value_or_several() -> None:
    one, several = Option("one", TEXT, "", ""), Option("several", TEXTS, (), "")
    assert one.value("a") == "a"
    assert several.value("a") == ("a",)
    assert several.value(("a", "b")) == ("a", "b")
    with pytest.raises(ValueError, match="one takes one string, not a list"):
        one.value(("a", "b"))


@pytest.mark.parametrize(
    ("kind", "name", "exists"),
    [
        (FILE, "file", True),
        (FILE, "directory", False),
        (FILE, "none", False),
        (FILE, "a\0b", False),
        (FILE, "x" * 5000, False),
        (DIRECTORY, "directory", True),
        (DIRECTORY, "file", False),
        (PATH, "none", True),
    ],
)
def test_paths(kind: ValueType, name: str, exists: bool, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    option = Option("o", kind, None, "")
    for written in (name, str(tmp_path / name)):
        if exists:
            assert option.located(option.value(written), tmp_path) == tmp_path / name
        else:
            with pytest.raises(ValueError, match="there is no"):
                option.located(option.value(written), tmp_path)


def test_several_paths_and_what_is_not_a_path(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    files = Option("o", FILES, (), "")
    assert files.located(files.value(("a", "a")), tmp_path) == (tmp_path / "a", tmp_path / "a")
    assert Option("o", TEXT, "", "").located("a", tmp_path) == "a"
