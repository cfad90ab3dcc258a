"""Names of signatures to verdicts."""

from __future__ import annotations

import pytest

from sieveav.scanning.naming import OPTIONS, Naming, classify, parse_classes
from sieveav.verdict import Status, Verdict

TABLE = (("PUA.*", Status.SUSPICIOUS), ("*.Zip", Status.ENCRYPTED))


def test_the_first_class_that_matches() -> None:
    assert classify("PUA.Zip", TABLE) is Status.SUSPICIOUS
    assert classify("A.Zip", TABLE) is Status.ENCRYPTED
    assert classify("pua.x", TABLE) is Status.INFECTED


def test_the_sites_classes_come_before_the_engines() -> None:
    naming = Naming.of({"classes": ("PUA.* = infected",), "allow": ()}, TABLE)
    assert naming.verdict("e", "PUA.x") == Verdict("e", Status.INFECTED, "PUA.x")
    assert naming.verdict("e", "A.Zip").status is Status.ENCRYPTED


def test_an_allowed_signature_is_clean_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    naming = Naming.of({"classes": (), "allow": ("Junk.*",)})
    assert naming.verdict("e", "Junk.1\n") == Verdict("e", Status.CLEAN)
    assert [record.getMessage() for record in caplog.records] == ["e: Junk.1 found but allowed"]
    assert naming.verdict("e", "Other.1").status is Status.INFECTED


@pytest.mark.parametrize("text", ["PUA.*", "PUA.*=clean", "PUA.*=error", "=infected", "PUA.*=nonsense\n"])
def test_classes_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\A[ -~]* is not GLOB=CLASS; [ -~]*\Z"):
        parse_classes((text,))
    with pytest.raises(ValueError, match="is not GLOB=CLASS"):
        OPTIONS[0].value((text,))


def test_the_options_have_the_names_of_the_values() -> None:
    assert [(option.name, option.default) for option in OPTIONS] == [("classes", ()), ("allow", ())]
