"""Replies that scripts delay, and messages that they count, in all phases."""

from __future__ import annotations

from typing import Any

import pytest
from support.engines import Engines
from support.sites import Decide, MakeSite

PHASES = """sieve "s" {
  script "connect_phase1" { source = "connect.siv" }
  script "rcptto_phase1" { source = "rcptto.siv" }
  script "data_phase1" { source = "data.siv" }
  script "each_rcpt_phase1" { source = "each.siv" }
}"""


def phases(**scripts: str) -> dict[str, str]:
    return {f"{name}.siv": scripts.get(name, "") for name in ("connect", "rcptto", "data", "each")}


@pytest.mark.parametrize(
    ("scripts", "delay"),
    [
        ({}, 0),
        ({"data": "ec_tarpit 5;"}, 5),
        ({"data": 'ec_tarpit 5; ec_action 550 "no";'}, 5),
        ({"data": "ec_tarpit 5;", "each": 'ec_action 550 "no";'}, 5),
        ({"connect": "ec_tarpit 3;", "rcptto": "ec_tarpit 4;", "data": "ec_tarpit 5;"}, 3 + 2 * 4 + 5),
        ({"connect": 'ec_tarpit 3; ec_disconnect "go";', "data": "ec_tarpit 5;"}, 3),
        ({"rcptto": 'ec_tarpit 4; ec_action 550 "no";', "data": "ec_tarpit 5;"}, 8),
        ({"rcptto": 'if envelope "to" "a@x.org" { ec_tarpit 4; ec_action 550 "no"; }', "data": "ec_tarpit 5;"}, 9),
    ],
)
def test_the_delays_of_all_replies(site: MakeSite, decided: Decide, scripts: dict[str, str], delay: float) -> None:
    assert decided(site(PHASES, phases(**scripts)), "a@x.org", "b@x.org").delay == delay


def test_a_refusal_of_an_engine_is_delayed_too(site: MakeSite, decided: Decide, engines: Engines) -> None:
    engines.said["av"] = ("infected", "Eicar")
    config = 'av {} antivirus "a" { av "av1" { enabled = false action = "reject" } } '
    config += 'sieve "s" { script "data_phase1" { source = "data.siv" } }'
    decision = decided(site(config, {"data.siv": "ec_tarpit 5; av_avscan;"}))
    assert decision.response is not None
    assert (decision.delay, decision.response.delay) == (5, 5)


def test_what_scripts_count_before_the_recipients_is_counted_once(site: MakeSite, decided: Decide, caplog: Any) -> None:
    caplog.set_level("INFO")
    scripts = phases(
        connect='ec_inc_counter "c";', data='ec_inc_counter "d"; ec_inc_counter "e";', each='ec_inc_counter "f";'
    )
    decision = decided(site(PHASES, scripts), "a@x.org", "b@x.org")
    assert decision.counters == ("c", "d", "e")
    summaries = [[action.summary() for action in one.outcome.actions] for one in decision.recipients]
    assert summaries == [["ec_inc_counter f", "implicit keep"]] * 2
    assert "counted: c" in caplog.text


def test_a_refused_message_is_not_counted_by_actions(site: MakeSite, decided: Decide) -> None:
    assert decided(site(PHASES, phases(data='ec_inc_counter "d"; ec_action 550 "no" "r";'))).counters == ()
