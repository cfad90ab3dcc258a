"""Verdicts: their order, and texts of engines made harmless."""

from __future__ import annotations

import pickle
from itertools import pairwise

import pytest

from sieveav.verdict import FOUND, INFO_LENGTH, UNSCANNABLE, VALUES, Status, Verdict, plain, rank, worst

ATTACK = "a\r\nX-Evil: 1\0\x1b[31m\u202eé\ud800;b"
HARMLESS = "aX-Evil: 1[31m;b"


def test_plain() -> None:
    assert plain(ATTACK) == HARMLESS
    assert plain("x" * 1000) == "x" * INFO_LENGTH
    for number in range(300):
        assert plain(chr(number)) == (chr(number) if " " <= chr(number) <= "~" else "")


def test_every_text_of_an_engine_is_plain() -> None:
    values = {ATTACK: ATTACK}
    verdict = Verdict("e", Status.INFECTED, ATTACK, version=ATTACK, values=values, by_recipient={"a@b": values})
    assert (verdict.info, verdict.version) == (HARMLESS, HARMLESS)
    assert verdict.values == {HARMLESS: HARMLESS}
    assert verdict.by_recipient == {"a@b": {HARMLESS: HARMLESS}}


def test_a_verdict_gets_a_time_and_a_version() -> None:
    verdict = Verdict("e", Status.INFECTED, "Eicar", code=7, values={"a": "b"})
    assert verdict.after(2.5).ms == 2.5
    assert verdict.by_version(ATTACK) == Verdict("e", Status.INFECTED, "Eicar", 7, HARMLESS, values={"a": "b"})
    assert (verdict.ms, verdict.version) == (0.0, "")


def test_the_values_of_an_engine_are_bounded() -> None:
    values = {str(number): "x" for number in range(VALUES + 50)}
    verdict = Verdict("e", Status.CLEAN, values=values, by_recipient={"a@b": values})
    assert len(verdict.values) == len(verdict.by_recipient["a@b"]) == VALUES


def test_the_values_of_a_recipient() -> None:
    both = {"score": "5", "class": "bulk"}
    verdict = Verdict("e", Status.CLEAN, values=both, by_recipient={"a@b": {"score": "9"}})
    assert verdict.for_recipient("a@b").values == {"score": "9", "class": "bulk"}
    assert verdict.for_recipient("c@d") is verdict


def test_a_verdict_can_be_hashed_compared_and_pickled() -> None:
    verdict = Verdict("e", Status.CLEAN, ms=1.0, values={"a": "b"})
    assert verdict == Verdict("e", Status.CLEAN, ms=2.0, values={"a": "b"})
    assert verdict != Verdict("e", Status.CLEAN)
    assert hash(verdict) == hash(Verdict("e", Status.CLEAN))
    assert pickle.loads(pickle.dumps(verdict)) == verdict  # noqa: S301  # our own


def test_the_order() -> None:
    verdicts = [Verdict("e", status) for status in Status]
    assert all(rank(worse) < rank(better) for worse, better in pairwise(verdicts))
    assert [str(status) for status in Status] == [
        "infected", "suspicious", "error", "encrypted", "macro", "limits", "unscannable", "skipped", "clean",
    ]  # fmt: skip
    assert FOUND | UNSCANNABLE | {Status.ERROR, Status.SKIPPED, Status.CLEAN} == set(Status)


@pytest.mark.parametrize("position", range(3))
def test_the_worst(position: int) -> None:
    verdicts = [Verdict(f"e{number}", Status.CLEAN) for number in range(3)]
    verdicts[position] = Verdict("bad", Status.ERROR, "why", 7, "1", "cured", 3.0, {"a": "b"})
    assert worst(verdicts) is verdicts[position]
    renamed = worst(verdicts, "all")
    assert renamed == Verdict("all", Status.ERROR, "why", 7, "1", "cured", 3.0, {"a": "b"})
    assert renamed.ms == 3.0


def test_the_earlier_of_two_and_none() -> None:
    assert worst([Verdict("a", Status.MACRO), Verdict("b", Status.MACRO)]).engine == "a"
    assert worst([], "e") == Verdict("e", Status.SKIPPED, "nothing was scanned")
