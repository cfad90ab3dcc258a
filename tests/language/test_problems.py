"""Problems for people and machines: places, the marks below a line, hints."""

from __future__ import annotations

import pytest

from sieveav.language.problems import Place, Problem, Severity, Source, Span, as_json, did_you_mean, excerpt, report


@pytest.mark.parametrize(
    ("text", "word", "marks"),
    [
        ("keep filinto;", "filinto", "     ^^^^^^^"),
        ('"日本語" filinto;', "filinto", "         ^^^^^^^"),
        ('"日本語" x;', "日本語", " ^^^^^^"),
        ('"e\u0301a\u0308" filinto;', "filinto", "     ^^^^^^^"),
        ('"\U0001f600" filinto;', "filinto", "     ^^^^^^^"),
        ("\u200bfilinto;", "filinto", " ^^^^^^^"),  # shown as ?
        ("\tx filinto;", "filinto", "\t  ^^^^^^^"),
        ("x \x1b[2J filinto;", "filinto", "       ^^^^^^^"),
        ("a ö filinto;", "filinto", "    ^^^^^^^"),
        ("x", "", "^"),
    ],
)
def test_marks_are_below_the_word(text: str, word: str, marks: str) -> None:
    start = text.index(word)
    line, below = excerpt(Source("", text), Span(start, start + len(word)))
    assert line.startswith("   1 | ")
    assert below == f"     | {marks}"


def test_a_span_of_several_lines_is_marked_to_the_end_of_the_first() -> None:
    assert excerpt(Source("", "keep 日本\nstop;"), Span(5, 12)) == ["   1 | keep 日本", "     |      ^^^^"]


def test_a_long_line_is_shown_around_the_place() -> None:
    text = "x" * 500 + "HERE" + "y" * 500
    line, below = excerpt(Source("", text), Span(500, 504))
    assert len(line) <= 180
    assert line[below.index("^") : below.rindex("^") + 1] == "HERE"


def test_a_missing_end_is_marked() -> None:
    assert excerpt(Source("", "keep"), Span(3, 4))[1] == "     |    ^"
    assert excerpt(Source("", "keep\n"), Span(4, 5))[1] == "     |     ^"
    assert excerpt(Source("", ""), Span(0, 0)) == ["   1 | ", "     | ^"]


def test_a_problem_for_people_and_for_machines() -> None:
    source = Source("a.sieve", "keep;\nkep;\n")
    problem = Problem("word-unknown", "unknown\r\ncommand", Span(6, 9), 'did you mean "keep"?', Severity.WARNING)
    assert report(source, problem).splitlines() == [
        "a.sieve:2:1: warning: unknown??command [word-unknown]",
        "   2 | kep;",
        "     | ^^^",
        '     = did you mean "keep"?',
    ]
    assert as_json(source, problem) == {
        "path": "a.sieve",
        "line": 2,
        "column": 1,
        "end_line": 2,
        "end_column": 4,
        "rule": "word-unknown",
        "severity": "warning",
        "message": "unknown??command",
        "hint": 'did you mean "keep"?',
    }


def test_places() -> None:
    source = Source("a.sieve", "a\nb\r\n\nc")
    places = [Place(source, offset) for offset in (0, 2, 5, 6)]
    assert [place.position for place in places] == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert [source.line(number) for number in (1, 2, 3, 4)] == ["a", "b", "", "c"]
    assert str(places[1]) == "a.sieve:2"
    assert Place(source).as_json() == {"path": "a.sieve"}
    assert places[0] == Place(source, 0) != places[1]


@pytest.mark.parametrize(
    ("word", "hint"),
    [("kep", 'did you mean "keep"?'), ("KEEP", 'did you mean "keep"?'), ("x", ""), ("", ""), ("keep" * 100_000, "")],
)
def test_did_you_mean(word: str, hint: str) -> None:
    assert did_you_mean(word, ["stop", "keep", "discard"]) == hint
