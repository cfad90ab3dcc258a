"""special-use, RFC 8579, beyond special_use.svtest: what is asked, phases, warnings, output."""

from __future__ import annotations

import pytest
from support.sieve import FakeHost, Sieve

from sieveav.running.questions import Mailbox

REQUIRE = 'require ["special-use", "fileinto"];'


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ('"\\\\Junk"', [Mailbox("", special_use="\\Junk")]),
        ('["\\\\Junk", "\\\\Sent"]', [Mailbox("", special_use="\\Junk"), Mailbox("", special_use="\\Sent")]),
        ('"a" ["\\\\Junk", "\\\\Sent"]', [Mailbox("a", special_use="\\Junk"), Mailbox("a", special_use="\\Sent")]),
        ('"" "\\\\Junk"', []),
    ],
)
def test_what_is_asked(sieve: Sieve, fake_host: type[FakeHost], arguments: str, asked: list[Mailbox]) -> None:
    host = fake_host(answers={Mailbox: lambda _: True})
    assert sieve.holds(f"specialuse_exists {arguments}", host=host, require=REQUIRE) is bool(asked)
    assert host.asked == asked


def test_the_first_attribute_that_is_missing_ends_it(sieve: Sieve, fake_host: type[FakeHost]) -> None:
    host = fake_host(answers={Mailbox: lambda _: False})
    assert not sieve.holds('specialuse_exists ["\\\\Junk", "\\\\Sent"]', host=host, require=REQUIRE)
    assert host.asked == [Mailbox("", special_use="\\Junk")]


@pytest.mark.parametrize("name", ["", "a\x07b", "x" * 300])
def test_an_invalid_mailbox_name(sieve: Sieve, name: str) -> None:
    """A warning, as in mailboxexists."""
    assert sieve.rules(f'{REQUIRE} if specialuse_exists "{name}" "\\\\Junk" {{ stop; }}') == ["mailbox-invalid"]


def test_not_in_scripts_that_run_once_per_message(sieve: Sieve) -> None:
    script = 'require "special-use"; if specialuse_exists "\\\\Junk" { stop; }'
    assert sieve.rules(script, phase="data") == ["phase-invalid"]


def test_output(sieve: Sieve) -> None:
    (action,) = sieve.run(f'{REQUIRE} fileinto :specialuse "\\\\Junk" "Spam";').actions
    shown = action.as_json()
    assert (shown["mailbox"], shown["special_use"]) == ("Spam", "\\Junk")
    assert action.summary() == 'fileinto \\Junk or else "Spam"'
