"""The test antivirus and the actions ENGINE_avscan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.accepting import Accepted
from support.sieve import FakeHost, MakeVerdict, Sieve

from sieveav.running.questions import Scan, Scanned
from sieveav.verdict import Status, Verdict

REQUIRE = 'require ["antivirus", "vctx", "relational", "comparator-i;ascii-numeric", "variables", "fileinto"];'


Asks = Callable[..., bool]


@pytest.fixture
def asks(sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict) -> Asks:
    """Whether a test is true with these verdicts of the engines: asks(test, ("yara", "infected", "Eicar"), ...)."""

    def asks(test: str, *verdicts: tuple[str, ...], **more: Any) -> bool:
        host = fake_host(verdicts=[verdict(*one) for one in verdicts])
        return bool(sieve.holds(test, require=REQUIRE, host=host, **more))

    return asks


@pytest.mark.parametrize("status", list(Status))
def test_every_status(asks: Asks, status: Status) -> None:
    for other in Status:
        assert asks(f'antivirus "{other}"', ("yara", status)) is (other == status)
        assert asks(f'antivirus :status :is "{str(other).upper()}"', ("yara", status)) is (other == status)


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ('antivirus ["infected", "suspicious"]', True),
        ('antivirus "clean"', False),  # the worst status counts
        ('antivirus :engine "clamav" "clean"', True),
        ('antivirus :engine "CLAMAV" "clean"', True),
        ('antivirus :engine "yara" "infected"', True),
        ('antivirus :engine ["clamav", "yara"] "infected"', True),
        ('antivirus :info "Eicar"', True),
        ('antivirus :info :is :comparator "i;octet" "eicar"', False),
        ('antivirus :info :matches "E*r"', True),
        ('antivirus :name "yara"', True),
        ('antivirus :name "clamav"', False),
        ('antivirus :engine "clamav" :name "clamav"', True),
        ('antivirus :contains "fect"', True),
        ('antivirus :value "eq" "infected"', True),
        ('antivirus :count "eq" :comparator "i;ascii-numeric" "1"', True),
        ('antivirus :engine "clamav" :info :count "eq" :comparator "i;ascii-numeric" "0"', True),
    ],
)
def test_tags(asks: Asks, test: str, holds: bool) -> None:
    assert asks(test, ("clamav", "clean"), ("yara", "infected", "Eicar")) is holds


def test_an_error_outranks_all_statuses_except_infected_and_suspicious(asks: Asks) -> None:
    assert asks('antivirus "error"', ("clamav", "error", "gone"), ("yara", "encrypted"))
    assert asks('antivirus "infected"', ("clamav", "error", "gone"), ("yara", "infected"))
    assert asks('antivirus "skipped"', ("clamav", "skipped"), ("yara", "clean"))


def test_without_engines_a_message_is_not_clean(asks: Asks) -> None:
    assert asks('antivirus "skipped"', engines=())
    assert not asks('antivirus "clean"', engines=())


def test_an_engine_whose_name_has_capitals(sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict) -> None:
    """A second instance has the name of its stanza."""
    assert sieve.rules(f'{REQUIRE} if antivirus :engine "yara2" "clean" {{ stop; }}', engines=("Yara2",)) == []
    host = fake_host(verdicts=[verdict("Yara2", "infected")])
    sieve.run(f"{REQUIRE} yara2_avscan;", host=host, engines=("Yara2",))
    assert host.asked[0].engines == ("Yara2",)


def test_match_variables(sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict) -> None:
    script = f'{REQUIRE} if antivirus :info :matches "Win.*-*" {{ fileinto "${{1}}"; }}'
    host = fake_host(verdicts=[verdict("yara", "infected", "Win.Trojan-1")])
    assert sieve.actions(script, host=host) == ["fileinto Trojan"]


def test_every_scan_sets_the_variables(sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict) -> None:
    host = fake_host([verdict("yara", "infected", "E")], {"yara_status": "virus"})
    for word in ('antivirus "clean"', 'antivirus :engine "yara" "error"'):
        assert sieve.holds(f'allof(not {word}, vctx "yara_status" "virus")', require=REQUIRE, host=host)


@pytest.mark.parametrize(
    ("test", "rules"),
    [
        ('antivirus :engine "nod32" "clean"', ["engine-unknown"]),
        ('antivirus :engine ["yara", "nod32", "x"] "clean"', ["engine-unknown", "engine-unknown"]),
        ('antivirus "infekted"', ["verdict-unknown"]),
        ('antivirus "virus"', ["verdict-unknown"]),
        ('antivirus ""', ["verdict-unknown"]),
        ('antivirus :is ["infected", "dirty", "CLEAN"]', ["verdict-unknown"]),
        ('antivirus :comparator "i;octet" ["CLEAN", "clean"]', ["verdict-unknown"]),
        ('antivirus :is :comparator "i;ascii-numeric" "x"', []),
        ('antivirus :contains "virus"', ["verdict-unknown"]),
        ('antivirus :contains "FECT"', []),
        ('antivirus :matches "virus"', ["verdict-unknown"]),
        ('antivirus :matches ["clean", "*virus*", "virus?"]', []),
        ('antivirus :value "ne" "virus"', []),
        ('antivirus :count "eq" :comparator "i;ascii-numeric" "1"', []),
        ('antivirus :info "virus"', []),
        ("antivirus", ["argument-missing"]),
        ("antivirus 5", ["argument-type"]),
        ('antivirus :engine "yara"', ["argument-missing"]),
        ('antivirus :status :info "x"', ["tag-repeated"]),
        ('antivirus :localpart "x"', ["tag-unknown"]),
        ('antivirus :part "clean"', ["part-outside"]),
        ('antivirus :contains :comparator "i;ascii-numeric" "x"', ["comparator-unfit"]),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, test: str, rules: list[str]) -> None:
    script = f"{REQUIRE} if {test} {{ stop; }}"
    assert sieve.rules(script) == rules
    accepted(sieve.texts(script))


def test_the_hint_lists_the_configured_engines(sieve: Sieve, accepted: Accepted) -> None:
    script = f'{REQUIRE} if antivirus :engine "nod32" "clean" {{ stop; }}'
    accepted([*sieve.texts(script), *sieve.texts(script, engines=())])


def test_a_status_that_does_not_exist_is_an_error(sieve: Sieve) -> None:
    checked = sieve.check(f'{REQUIRE} if antivirus "infekted" {{ stop; }}')
    assert checked.program is None
    assert checked.problems[0].hint == 'did you mean "infected"?'


@pytest.mark.parametrize("phase", ["data", "spool", "each_rcpt", "connect", "ehlo", "mailfrom", "rcptto"])
def test_phases(sieve: Sieve, phase: str) -> None:
    expected = [] if phase in ("data", "spool", "each_rcpt") else ["phase-invalid"]
    assert sieve.rules('require "antivirus"; if antivirus "clean" { stop; }', phase=phase) == expected
    assert sieve.rules('require "antivirus"; yara_avscan;', phase=phase) == expected


# ---- ENGINE_avscan


@pytest.mark.parametrize(
    ("engine", "word"), [("clamav", "clamav_avscan"), ("f-secure", "f_secure_avscan"), ("Yara.2", "yara_2_avscan")]
)
def test_avscan_comes_from_the_engines_name(
    sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict, engine: str, word: str
) -> None:
    host = fake_host([verdict(engine, "infected", "E")], {"v": "virus"})
    script = f'{REQUIRE} {word}; if vctx "v" "virus" {{ discard; }}'
    assert sieve.actions(script, host=host, engines=(engine,)) == ["discard"]
    assert [question.engines for question in host.asked] == [(engine,)]


def test_avscan_only_scans(sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict) -> None:
    host = fake_host([verdict("yara", "infected", "E"), verdict("clamav", "clean")])
    assert sieve.actions(f"{REQUIRE} yara_avscan; clamav_avscan;", host=host) == ["implicit keep"]


@pytest.mark.parametrize(
    "script",
    [
        "nod32_avscan;",
        "if yara_avscan { stop; }",
    ],
)
def test_avscan_of_an_unknown_engine_and_as_a_test(sieve: Sieve, script: str) -> None:
    assert sieve.rules(REQUIRE + script) == ["word-unknown"]


@pytest.mark.parametrize(
    ("engines", "hint"), [(("yara",), "configured: yara"), (("a", "b"), "configured: a, b"), ((), "none is configured")]
)
def test_avscan_of_an_engine_that_is_not_configured(sieve: Sieve, engines: tuple[str, ...], hint: str) -> None:
    (problem,) = sieve.check(f"{REQUIRE} clamav_avscan;", engines=engines).problems
    assert (problem.rule, problem.message, problem.hint) == ("word-unknown", "no engine clamav is configured", hint)


@pytest.mark.parametrize(
    ("script", "rule"), [('yara_avscan "x";', "argument-surplus"), ("yara_avscan :x;", "tag-unknown")]
)
def test_avscan_takes_no_arguments(sieve: Sieve, script: str, rule: str) -> None:
    assert sieve.rules(REQUIRE + script) == [rule]


def test_avscan_needs_a_require(sieve: Sieve) -> None:
    (problem,) = sieve.check("yara_avscan;").problems
    assert (problem.rule, problem.hint) == ("word-unknown", 'write: require "antivirus";')
    assert sieve.rules("yara_avscan;", dialect="momentum") == []


# ---- parts

PARTS = b"""MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

harmless
--b
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

ZXZpbA==
--b--
"""


def test_part(sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict) -> None:
    host = fake_host([verdict("yara", "infected")])
    script = """require ["antivirus", "foreverypart"];
    foreverypart { if antivirus :part "infected" { discard; } }"""
    assert sieve.actions(script, PARTS, host=host) == ["discard"]
    assert b"evil" in [question.part for question in host.asked]


@pytest.mark.parametrize(("status", "actions"), [("infected", ["discard"]), ("unscannable", ["implicit keep"])])
def test_every_reading_of_a_part(status: str, actions: list[str], sieve: Sieve, fake_host: type[FakeHost]) -> None:
    """Some clients read on behind padding: what they see is scanned too, and counts unless it is only broken."""

    class Host(fake_host):  # type: ignore[misc, valid-type]
        def _scanned(self, question: Scan) -> Scanned:
            return Scanned((Verdict("yara", Status(status if question.part == b"A" else "clean")),), {})

    script = """require ["antivirus", "foreverypart"];
    foreverypart { if not antivirus :part "clean" { discard; } }"""
    host = Host()
    assert sieve.actions(script, PARTS.replace(b"ZXZpbA==", b"QQ=ZXZpbA=="), host=host) == actions
    assert len({question.part for question in host.asked}) > 2


@pytest.mark.parametrize(
    ("script", "hint"),
    [
        ('require ["antivirus", "foreverypart"]; foreverypart { keep; } if antivirus :part "clean" { keep; }', ""),
        ('require "antivirus"; if antivirus :part "clean" { keep; }', 'write: require "foreverypart";'),
    ],
)
def test_part_outside_a_loop(sieve: Sieve, script: str, hint: str) -> None:
    (problem,) = sieve.check(script).problems
    assert (problem.rule, problem.hint) == ("part-outside", hint)
