"""From entrance to exit: the order of scripts, scans, refusals, faults, and each recipient alone."""

from __future__ import annotations

import itertools
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from support.engines import Engines
from support.sites import Decide, MakeSite, Show

from sieveav.engines import yara
from sieveav.running.questions import Answers, Context, Mailbox, Seen
from sieveav.site.deciding import DEFERRED
from sieveav.site.scripts import Scripts
from sieveav.site.site import Refused, Site, embedded, load
from sieveav.site.stanza import Settings
from sieveav.site.stanzas.sieve import SIEVE, Policy
from sieveav.site.stanzas.users import USERS
from sieveav.site.users import fill

ACTIVE = 'av {} antivirus "a" { av "av1" { action = "%s" %s } }\n'
PASSIVE = 'av {} antivirus "a" { av "av1" { enabled = false action = "%s" %s } }\n'


def active(action: str = "pass", more: str = "") -> str:
    return ACTIVE % (action, more)


def passive(action: str = "pass", more: str = "") -> str:
    return PASSIVE % (action, more)


# ---- the order of scripts

ORDER = ("data1", "data2", "each1", "before", "alice", "after", "each2")

ALL = """sieve "s" {
  script "each_rcpt_phase2" { source = "each2.sieve" }
  script "data_phase2" { source = "data2.sieve" }
  script "data_phase1" { source = "data1.sieve" }
  script "each_rcpt_phase1" { source = "each1.sieve" }
}
users { scripts = "%n.sieve" before = "before.sieve" after = "after.sieve" }
"""


def noting(name: str, then: str = "") -> str:
    """A script that leaves a trace."""
    return (
        'require ["vctx", "variables", "fileinto", "ec_action", "reject", "envelope"];'
        f'if true {{ vctx_mess_set "order" "${{vctx.order}}{name} "; }} {then}\n'
    )


@pytest.fixture
def order(site: MakeSite, decided: Decide) -> Any:
    """The scripts that ran, in their order, when those named say `then` as well; and the decision."""

    def order(**then: str) -> tuple[list[str], Any]:
        scripts = {f"{name}.sieve": noting(name, then.get(name, "")) for name in ORDER}
        decision = decided(site(ALL, scripts), tracing=True)
        trace = [*decision.trace, *(step for one in decision.recipients for step in one.outcome.trace)]
        ran = [Path(step.place.path).stem for step in trace if step.place is not None]
        return list(dict.fromkeys(ran)), decision

    return order


def test_the_order(order: Any) -> None:
    ran, decision = order()
    assert ran == list(ORDER)
    (one,) = decision.recipients
    assert [action.as_json() for action in one.outcome.actions] == [{"action": "keep", "flags": [], "implicit": True}]
    assert decision.context.message == {"order": "data1 data2 "}


@pytest.mark.parametrize("name", ORDER)
def test_stop_ends_only_its_own_script(order: Any, name: str) -> None:
    assert order(**{name: "stop;"})[0] == list(ORDER)


@pytest.mark.parametrize("name", ORDER)
@pytest.mark.parametrize("then", ["keep;", "keep; keep;"])
def test_after_a_written_keep_the_next_runs(order: Any, shown: Show, name: str, then: str) -> None:
    ran, decision = order(**{name: then})
    assert ran == list(ORDER)
    assert shown(decision) == ["alice keep"]


@pytest.mark.parametrize("name", ORDER)
def test_after_a_discard_none_runs(order: Any, shown: Show, name: str) -> None:
    ran, decision = order(**{name: "discard;"})
    assert ran == list(ORDER)[: ORDER.index(name) + 1]
    assert shown(decision) == ["alice discard"]


@pytest.mark.parametrize("name", ORDER[2:])
def test_after_a_fileinto_none_runs(order: Any, shown: Show, name: str) -> None:
    ran, decision = order(**{name: 'fileinto "x";'})
    assert ran == list(ORDER)[: ORDER.index(name) + 1]
    assert shown(decision) == ["alice fileinto x"]


def test_a_fileinto_and_a_keep_let_the_next_run(order: Any, shown: Show) -> None:
    ran, decision = order(before='fileinto "x"; keep;', alice='fileinto "y";')
    assert ran == ["data1", "data2", "each1", "before", "alice"]
    assert shown(decision) == ["alice fileinto x", "alice fileinto y"]


@pytest.mark.parametrize("name", ORDER)
@pytest.mark.parametrize(
    ("then", "text"),
    [('ec_action 550 "5.7.0 no" "c";', "550 5.7.0 no"), ('reject "no";', "550 5.7.1 no")],
)
def test_a_refusal(order: Any, shown: Show, name: str, then: str, text: str) -> None:
    """In a data phase it is the whole message's, later the recipient's own."""
    ran, decision = order(**{name: then})
    assert ran == list(ORDER)[: ORDER.index(name) + 1]
    if name.startswith("data"):
        assert shown(decision) == [f"all {text}"]
    else:
        assert shown(decision)[0] == f"alice {text}"
        assert decision.response is None


def test_there_is_no_recipient_in_a_data_phase(site: MakeSite, decided: Decide, shown: Show) -> None:
    config = 'sieve "s" { script "data_phase1" { source = "d.sieve" } }'
    decision = decided(site(config, {"d.sieve": 'require "fileinto"; fileinto "x";'}))
    assert shown(decision) == [f"all {DEFERRED.code} {DEFERRED.enhanced} {DEFERRED.text}"]
    assert "recipient" in faults(decision)[0]


def test_a_keep_of_an_earlier_script_is_in_nobodys_way(order: Any) -> None:
    _, decision = order(before="keep;", alice='reject "no";')
    assert decision.recipients[0].response.text == "no"
    assert decision.recipients[0].outcome.fault is None


def test_flags_set_in_a_data_phase_are_on_every_implicit_keep(site: MakeSite, decided: Decide) -> None:
    config = 'sieve "s" { script "data_phase1" { source = "d.sieve" } }'
    made = site(config, {"d.sieve": 'require "imap4flags"; setflag "$Checked";'})
    for one in decided(made, "a@x.org", "b@x.org").recipients:
        assert one.outcome.actions[0].as_json() == {"action": "keep", "flags": ["$Checked"], "implicit": True}


def test_several_scripts_of_a_phase_run_in_the_order_of_the_file(site: MakeSite, decided: Decide) -> None:
    config = """sieve "s" {
      script "data_phase1" { source = "b.sieve" } script "data_phase1" { source = "a.sieve" } }"""
    decision = decided(site(config, {"a.sieve": noting("a"), "b.sieve": noting("b")}))
    assert decision.context.message == {"order": "b a "}


def test_the_script_of_run_takes_the_users_place(site: MakeSite, decided: Decide, shown: Show) -> None:
    made = site('users { scripts = "%n.sieve" }', {"alice.sieve": "discard;", "given.sieve": "keep;"})
    given = made.scripts.checked(Path(made.settings[USERS].scripts).parent / "given.sieve", "each_rcpt")
    assert shown(decided(made, "alice@example.com", "carol@example.com", script=given)) == ["alice keep", "carol keep"]


# ---- scans

ASKS = 'require ["antivirus", "virustest", "fileinto", "vctx", "ec_action"];'


def test_one_scan_however_many_ask(site: MakeSite, decided: Decide, engines: Engines) -> None:
    asking = ASKS + 'av_avscan; if antivirus "error" { stop; } if virustest "0" { stop; } av_avscan;'
    scripts = {f"{name}.sieve": asking for name in ORDER}
    made = site(ALL + passive(), scripts)
    decision = decided(made, *(f"alice{n}@example.com" for n in range(20)))
    assert engines.asked == ["av"]
    assert [verdict.engine for verdict in decision.verdicts] == ["av"]
    decided(made)
    assert engines.asked == ["av", "av"]  # another message, another scan


def test_a_passive_engine_never_scans_by_itself(site: MakeSite, decided: Decide, engines: Engines) -> None:
    engines.said["av"] = ("infected", "E")
    for action in ("pass", "reject"):
        decision = decided(site(passive(action)))
        assert decision.response is None
        assert decision.verdicts == ()
    assert engines.asked == []


@pytest.mark.parametrize("where", ["globally", "in the framework"])
def test_enabled_false_in_either_place_is_passive(
    site: MakeSite, decided: Decide, engines: Engines, where: str
) -> None:
    config = {
        "globally": 'av { enabled = false } antivirus "a" { av "av1" {} }',
        "in the framework": 'av {} antivirus "a" { enabled = false av "av1" {} }',
    }[where]
    decided(site(config))
    assert engines.asked == []


def test_an_active_engine_scans_before_the_scripts(site: MakeSite, decided: Decide, engines: Engines) -> None:
    engines.said["av"] = ("infected", "E")
    config = active() + 'sieve "s" { script "data_phase1" { source = "d.siv" } }'
    decision = decided(site(config, {"d.siv": 'if vctx "av_status" "virus" { vctx_mess_set "seen" "yes"; }'}))
    assert decision.context.message["seen"] == "yes"
    assert engines.asked == ["av"]


def test_only_the_engine_named_is_asked(site: MakeSite, decided: Decide, engines: Engines) -> None:
    config = """av {} f-secure {} antivirus "a" { av "x" { enabled = off } f-secure "y" { enabled = off } }
    users { scripts = "u.sieve" }"""
    scripts = {"u.sieve": ASKS + 'f_secure_avscan; if antivirus :engine "F-Secure" "clean" { stop; }'}
    decision = decided(site(config, scripts))
    assert engines.asked == ["f-secure"]
    assert decision.recipients[0].outcome.fault is None


def test_two_instances_have_names_of_their_own(site: MakeSite, decided: Decide, engines: Engines) -> None:
    """The first goes by its kind, a further one by its stanza's own name."""
    config = """av {} antivirus "a" { av "one" { enabled = off }
                                      av "Av-Two" { enabled = off context_variable = "two" } }
    users { scripts = "u.sieve" }"""
    engines.said["Av-Two"] = ("infected", "E2")
    script = 'av_avscan; av_two_avscan; if antivirus :engine "av-two" "infected" { fileinto "x"; }'
    made = site(config, {"u.sieve": ASKS + script})
    assert made.engines == ("av", "Av-Two")
    decision = decided(made)
    assert engines.asked == ["av", "Av-Two"]
    assert decision.recipients[0].outcome.actions[0].as_json()["mailbox"] == "x"
    assert decision.recipients[0].context == {
        "two": "virus",
        "two_info": "E2",
        "two_class": "infected",
        "Av-Two_info": "E2",
    }


@pytest.mark.parametrize("second", ['av "av"', 'f-secure "z" {} av "F.Secure"'])
def test_two_engines_of_one_name_are_refused(site: MakeSite, second: str) -> None:
    config = f'av {{}} f-secure {{}} antivirus "a" {{ av "x" {{}} }} antivirus "b" {{ {second} {{ context_variable = "zz" }} }}'
    with pytest.raises(Refused) as refused:
        site(config)
    assert [problem.rule for problem in refused.value.problems][-1:] == ["engine-repeated"]


def test_an_engine_that_cannot_work_is_a_problem_of_the_configuration(site: MakeSite) -> None:
    with pytest.raises(Refused) as refused:
        site('av {} antivirus "a" { av "x" { mood = "bad" } }')
    (problem,) = refused.value.problems
    assert problem.message == "av: in a bad mood"
    assert refused.value.source.position(problem.span.start) == (1, 23)


def multipart(parts: int) -> bytes:
    body = b"".join(b"--b\n\npart %d\n" % n for n in range(parts))
    return b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" + body + b"--b--\n"


def test_the_parts_of_a_message_have_the_time_of_one(
    site: MakeSite, decided: Decide, engines: Engines, shown: Show
) -> None:
    """So that a message of a thousand parts does not hold a slow engine for hours. What there is no time for is an error."""
    script = """require ["foreverypart", "antivirus", "fileinto"];
    foreverypart { if antivirus :part "error" { fileinto "late"; stop; } }"""
    engines.seconds = 0.05
    made = site(passive("pass", "timeout = 1") + 'users { scripts = "u.sieve" }', {"u.sieve": script})
    assert shown(decided(made, raw=multipart(2))) == ["alice implicit keep"]
    engines.asked.clear()
    assert shown(decided(made, raw=multipart(100))) == ["alice fileinto late"]
    assert len(engines.asked) <= 21


def test_an_unknown_engine_asked_by_its_name_is_an_error(site: MakeSite, decided: Decide, engines: Engines) -> None:
    """Names that are known only while running."""
    script = 'require ["antivirus", "variables"]; set "e" "nod32"; if antivirus :engine "${e}" "error" { discard; }'
    decision = decided(site('users { scripts = "u.sieve" }', {"u.sieve": script}))
    assert decision.recipients[0].outcome.actions[0].name == "discard"
    assert engines.asked == []


# ---- action = "reject"

FOR_GOOD = "550 5.7.1"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("infected", FOR_GOOD),
        ("suspicious", FOR_GOOD),
        ("encrypted", FOR_GOOD),
        ("macro", FOR_GOOD),
        ("limits", FOR_GOOD),
        ("unscannable", FOR_GOOD),
        ("error", "451 4.7.1"),
        ("clean", ""),
        ("skipped", ""),
    ],
)
def test_reject(site: MakeSite, decided: Decide, shown: Show, engines: Engines, status: str, answer: str) -> None:
    engines.said["av"] = (status, "Secret-Name at /var/lib/av")
    found = shown(decided(site(active("reject"))))
    if not answer:
        assert found == ["alice implicit keep"]
    else:
        assert found[0].startswith(f"all {answer} This message ")
        assert "Secret" not in found[0]  # nothing of the engine's words
        assert "av" not in found[0].split()


SENDS = 'users { scripts = "%n.sieve" }'


@pytest.mark.parametrize(
    ("status", "more", "script", "done"),
    [
        ("infected", "", 'redirect "x@example.org";', ["redirect withheld", "implicit keep"]),
        ("suspicious", "", 'redirect "x@example.org";', ["redirect withheld", "implicit keep"]),
        ("infected", "", 'redirect :copy "x@example.org";', ["redirect withheld", "implicit keep"]),
        ("infected", "", 'fileinto "a"; redirect "x@example.org";', ["fileinto a", "redirect withheld"]),
        ("infected", "", 'vacation "away"; discard;', ["vacation withheld", "discard"]),
        ("infected", "", "discard;", ["discard"]),
        ("infected", 'sieve "s" { send_infected = true }', 'redirect "x@example.org";', ["redirect x@example.org"]),
        ("clean", "", 'redirect "x@example.org";', ["redirect x@example.org"]),
        ("error", "", 'redirect "x@example.org";', ["redirect x@example.org"]),
    ],
)
def test_infected_mail_is_not_sent_on(
    site: MakeSite, decided: Decide, engines: Engines, status: str, more: str, script: str, done: list[str]
) -> None:
    engines.said["av"] = (status, "Virus")
    made = site(f"{active()} {SENDS} {more}", {"alice.sieve": f'require ["copy", "fileinto", "vacation"]; {script}'})
    raw = b"From: bob@example.org\nTo: alice@example.com\n\nHi.\n"
    (one,) = decided(made, raw=raw, answers=lambda _: {Seen: lambda _: False}).recipients
    found = [
        action.summary().replace(": the message is infected", "").replace('"', "") for action in one.outcome.actions
    ]
    assert [" ".join(words.split()[:2]) for words in found] == done


def test_quarantined_mail_is_not_sent_on(site: MakeSite, decided: Decide) -> None:
    phases = 'sieve "s" { script "data_phase1" { source = "d.siv" } }'
    hold = 'require "vnd.sieveav.quarantine"; quarantine "odd";'
    made = site(f"{SENDS} {phases}", {"alice.sieve": 'redirect "x@example.org";', "d.siv": hold})
    (one,) = decided(made).recipients
    withheld = "redirect withheld: the message is quarantined"
    assert [action.summary() for action in one.outcome.actions] == ["quarantine: odd", withheld, "implicit keep"]


@pytest.mark.parametrize("status", ["infected", "macro", "error"])
def test_pass_leaves_it_to_scripts(site: MakeSite, decided: Decide, shown: Show, engines: Engines, status: str) -> None:
    engines.said["av"] = (status, "x")
    assert shown(decided(site(active("pass")))) == ["alice implicit keep"]


@pytest.mark.parametrize(("code", "answer"), [(452, "452 4.7.1"), (554, "554 5.7.1")])
def test_error_code(site: MakeSite, decided: Decide, shown: Show, engines: Engines, code: int, answer: str) -> None:
    engines.said["av"] = ("error", "no answer")
    assert shown(decided(site(active("reject", f"error_code = {code}"))))[0].startswith(f"all {answer} ")
    engines.said["av"] = ("infected", "x")
    assert shown(decided(site(active("reject", f"error_code = {code}"))))[0].startswith("all 550 5.7.1 ")


@pytest.mark.parametrize(
    ("status", "options", "answer"),
    [
        ("infected", 'infected = "reject"', "550 5.7.1 This message was refused by"),
        ("encrypted", 'infected = "reject"', ""),
        ("encrypted", "encrypted = tempfail", "451 4.7.1 The content of this message could not"),
        ("infected", "infected = tempfail", "451 4.7.1 This message is not accepted at this time"),
        ("macro", "action = reject macro = pass", ""),
        ("limits", "action = reject macro = pass", "550 5.7.1"),
        ("error", "error = tempfail error_code = 452", "452 4.7.1"),
        ("error", "error = reject", "550 5.7.1 This message was refused: it could not"),
    ],
)
def test_a_policy_for_each_status(
    site: MakeSite, decided: Decide, shown: Show, engines: Engines, status: str, options: str, answer: str
) -> None:
    engines.said["av"] = (status, "Secret")
    found = shown(decided(site(f'av {{}} antivirus "a" {{ {options} av "av1" {{}} }}')))
    assert found[0].startswith(f"all {answer}" if answer else "alice implicit keep")
    assert "Secret" not in found[0]


@pytest.mark.parametrize(
    ("order", "said", "asked"),
    [
        ("first", ("infected", "infected"), ["av"]),
        ("first", ("suspicious", "infected"), ["av"]),
        ("first", ("error", "infected"), ["av", "f-secure"]),
        ("first", ("clean", "clean"), ["av", "f-secure"]),
        ("all", ("infected", "infected"), ["av", "f-secure"]),
    ],
)
def test_the_order_of_engines(
    site: MakeSite, decided: Decide, engines: Engines, order: str, said: tuple[str, str], asked: list[str]
) -> None:
    engines.said |= {name: (status, "x") for name, status in zip(("av", "f-secure"), said, strict=True)}
    config = f'av {{}} f-secure {{}} antivirus "a" {{ order = {order} av "x" {{}} f-secure "y" {{}} }}'
    decision = decided(site(config))
    assert sorted(engines.asked) == asked
    assert [(verdict.engine, verdict.status) for verdict in decision.verdicts] == list(zip(asked, said, strict=False))


def test_engines_scan_at_the_same_time(site: MakeSite, decided: Decide, engines: Engines) -> None:
    """Each waits until the other has begun."""
    both = threading.Barrier(2)

    class Waiting(dict[str, tuple[str, str]]):
        def get(self, *asked: Any) -> Any:
            both.wait(20)
            return super().get(*asked)

    engines.said = Waiting()
    decision = decided(site('av {} f-secure {} antivirus "a" { av "x" {} f-secure "y" {} }'))
    assert [verdict.status for verdict in decision.verdicts] == ["clean", "clean"]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_refusal_for_good_outranks_one_for_now(
    site: MakeSite, decided: Decide, shown: Show, engines: Engines, swapped: bool
) -> None:
    engines.said |= dict(
        zip(["av", "f-secure"][:: -1 if swapped else 1], [("error", ""), ("infected", "E")], strict=True)
    )
    config = 'av {} f-secure {} antivirus "a" { action = "reject" av "x" {} f-secure "y" {} }'
    assert shown(decided(site(config)))[0].startswith("all 550 5.7.1 ")
    assert sorted(engines.asked) == ["av", "f-secure"]


def test_no_script_runs_after_a_refusal(site: MakeSite, decided: Decide, shown: Show, engines: Engines) -> None:
    engines.said["av"] = ("infected", "E")
    scripts = {f"{name}.sieve": noting(name) for name in ORDER}
    decision = decided(site(ALL + active("reject"), scripts))
    assert shown(decision)[0].startswith("all 550 ")
    assert "order" not in decision.context.message


def test_a_passive_engine_asked_in_a_data_phase_refuses_for_all(
    site: MakeSite, decided: Decide, shown: Show, engines: Any
) -> None:
    engines.said["av"] = ("infected", "E")
    config = passive("reject") + 'sieve "s" { script "data_phase1" { source = "d.siv" } }'
    assert shown(decided(site(config, {"d.siv": "av_avscan;"})))[0].startswith("all 550 5.7.1 ")


def test_a_passive_engine_asked_by_one_recipient_refuses_to_that_one(
    site: MakeSite, decided: Decide, shown: Show, engines: Any
) -> None:
    """The same for each, whoever else is on the message."""
    engines.said["av"] = ("infected", "E")
    config = passive("reject") + 'users { scripts = "%n.sieve" }'
    made = site(config, {"alice.sieve": ASKS + 'av_avscan; fileinto "x";', "carol.sieve": "keep;"})
    refused = "alice 550 5.7.1 This message was refused by the content policy of this site"
    assert shown(decided(made, "alice@x.org", "carol@x.org")) == [refused, "carol keep"]
    assert shown(decided(made, "carol@x.org", "alice@x.org")) == ["carol keep", refused]
    assert shown(decided(made, "alice@x.org")) == [refused]
    assert shown(decided(made, "carol@x.org")) == ["carol keep"]


def test_a_scripts_own_answer_goes_before_the_frameworks(
    site: MakeSite, decided: Decide, shown: Show, engines: Engines
) -> None:
    engines.said["av"] = ("infected", "E")
    config = passive("reject") + 'sieve "s" { script "data_phase1" { source = "d.siv" } }'
    made = site(config, {"d.siv": 'av_avscan; ec_action 554 "5.7.9 own words";'})
    assert shown(decided(made)) == ["all 554 5.7.9 own words"]


# ---- skip_context_variable


def test_skip_context_variable(site: MakeSite, decided: Decide, engines: Engines) -> None:
    engines.said["av"] = ("infected", "E")
    skip = Context(message={"skip_virus_check": ""})
    decision = decided(site(active("reject")), context=skip)
    assert engines.asked == []
    assert decision.response is None
    assert decision.context.message == {"skip_virus_check": ""}
    assert decided(site(active("reject")), context=Context(connection={"skip_virus_check": "1"})).response is None
    own = site(active("reject", 'skip_context_variable = "trusted"'))
    assert decided(own, context=skip).response is not None
    assert decided(own, context=Context(connection={"trusted": "1"})).response is None


def test_a_policy_sets_it(site: MakeSite, decided: Decide, engines: Engines, shown: Show) -> None:
    """What is skipped is not clean; and it is skipped for that recipient alone."""
    engines.said["av"] = ("infected", "E")
    asking = 'if antivirus "clean" { keep; } elsif antivirus "skipped" { fileinto "skipped"; } else { fileinto "no"; }'
    made = site(
        passive() + 'users { scripts = "%n.sieve" before = "before.sieve" }',
        {
            "before.sieve": ASKS.replace("[", '["envelope", ')
            + 'if envelope "to" "alice@x.org" { vctx_mess_set "skip_virus_check" "1"; }',
            "alice.sieve": ASKS + asking,
            "carol.sieve": ASKS + asking,
        },
    )
    for recipients in itertools.permutations(["alice@x.org", "carol@x.org"]):
        assert sorted(shown(decided(made, *recipients))) == ["alice fileinto skipped", "carol fileinto no"]


# ---- context variables


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("infected", "virus"),
        ("suspicious", "virus"),
        ("encrypted", "unscannable"),
        ("macro", "unscannable"),
        ("limits", "unscannable"),
        ("unscannable", "unscannable"),
        ("error", "error"),
        ("clean", ""),
        ("skipped", ""),
    ],
)
@pytest.mark.parametrize("name", ["", "VIRUS"])
def test_variables(site: MakeSite, decided: Decide, engines: Engines, status: str, word: str, name: str) -> None:
    engines.said["av"] = (status, "Some-Name")
    context = decided(site(active("pass", f'context_variable = "{name}"' if name else ""))).context.message
    info = "error: Some-Name" if word == "error" else "Some-Name"
    variable = name or "av_status"
    expected = {variable: word, f"{variable}_info": info, f"{variable}_class": status, "av_info": info}
    assert context == (expected if word else {})


def test_action_reject_sets_them_too(site: MakeSite, decided: Decide, engines: Engines) -> None:
    engines.said["av"] = ("infected", "E")
    assert decided(site(active("reject"))).context.message["av_status_info"] == "E"


def test_an_engines_words_bring_no_control_characters(site: MakeSite, decided: Decide, engines: Engines) -> None:
    engines.said["av"] = ("infected", "a\r\n250 ok\x00\x1b[0m\u202e" + "x" * 1000)
    info = decided(site(active())).context.message["av_status_info"]
    assert info.startswith("a250 ok[0mx")
    assert len(info) == 256


def test_what_connects_brings_its_context(site: MakeSite, decided: Decide) -> None:
    context = Context(connection={"peer": "192.0.2.1"})
    made = site('users { scripts = "u.sieve" }', {"u.sieve": ASKS + 'if vctx_conn "peer" "192.0.2.1" { discard; }'})
    decision = decided(made, context=context)
    assert decision.recipients[0].outcome.actions[0].name == "discard"
    assert context == Context(connection={"peer": "192.0.2.1"})


# ---- each recipient alone


def test_isolation_and_order(site: MakeSite, decided: Decide, engines: Engines) -> None:
    """The same for a recipient whoever else is on the message, and in whatever order."""
    engines.said["av"] = ("infected", "E")
    scripts = {
        "sets.sieve": ASKS + 'vctx_mess_set "mark" "1"; vctx_conn_set "mark" "2"; vctx_mess_delete "data"; av_avscan;',
        "looks.sieve": ASKS
        + 'if vctx :contains ["mark"] "" { discard; }'.replace('["mark"]', '"mark"')
        + 'if not vctx "data" "yes" { fileinto "no data"; } if vctx :contains "av_status" "" { fileinto "status"; }',
        "refuses.sieve": ASKS + 'ec_action 550 "no";',
        "fails.sieve": 'require ["fileinto", "variables"]; fileinto "${nothing}"; discard;',
        "flags.sieve": 'require "imap4flags"; setflag "\\\\Seen";',
        "d.sieve": ASKS + 'vctx_mess_set "data" "yes";',
    }
    config = 'users { scripts = "%n.sieve" } sieve "s" { script "data_phase1" { source = "d.sieve" } }' + passive()
    made = site(config, scripts)
    names = ["sets", "looks", "refuses", "fails", "flags", "nobody"]
    alone = {name: decided(made, f"{name}@x.org").recipients[0] for name in names}
    assert [action.name for action in alone["looks"].outcome.actions] == ["keep"]
    assert alone["sets"].context["data"] is None
    assert alone["flags"].outcome.actions[0].as_json()["flags"] == ["\\Seen"]
    assert alone["fails"].outcome.fault is not None
    for some in itertools.permutations(names, 4):
        together = decided(made, *(f"{name}@x.org" for name in some))
        assert together.recipients == tuple(alone[name] for name in some)
        assert together.context.message == {"data": "yes"}


def test_two_runs_are_equal(site: MakeSite, decided: Decide, engines: Engines) -> None:
    engines.said["av"] = ("infected", "E")
    made = site(active() + ALL, {f"{name}.sieve": noting(name) for name in ORDER})
    assert decided(made, tracing=True) == decided(made, tracing=True)


# ---- faults


def faults(decision: Any) -> list[str]:
    all_faults = [decision.fault, *(one.outcome.fault for one in decision.recipients)]
    return [fault.message for fault in all_faults if fault is not None]


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("keep", "the script has an error: "),
        ("unknown;", "the script has an error: "),
        ("\xff\x00", "the script has an error: "),
        ('require ["fileinto", "variables"]; discard; fileinto "${nothing}";', ""),
        ('require "reject"; keep; reject "x";', "reject conflicts with keep"),
    ],
)
def test_a_users_script_that_faults_keeps(
    site: MakeSite, decided: Decide, shown: Show, caplog: Any, script: str, fault: str
) -> None:
    made = site('users { scripts = "alice.sieve" }', {"alice.sieve": script})
    decision = decided(made)
    assert shown(decision) == ["alice implicit keep"]
    (message,) = faults(decision)
    assert message.startswith(fault)
    found = decision.recipients[0].outcome.fault
    assert found is not None
    assert found.place is not None
    assert found.place.path.endswith("alice.sieve")
    assert "alice.sieve" in caplog.text


def test_no_script_is_an_implicit_keep_and_the_trace_says_so(site: MakeSite, decided: Decide, shown: Show) -> None:
    made = site('users { scripts = "users/%n.sieve" }')
    decision = decided(made, tracing=True)
    assert shown(decision) == ["alice implicit keep"]
    assert faults(decision) == []
    (step,) = decision.recipients[0].outcome.trace
    assert (step.what, step.result) == ("no script", "implicit keep")


def test_after_a_discard_for_all_the_trace_speaks_of_no_keep(site: MakeSite, decided: Decide) -> None:
    made = site('sieve "s" { script "data_phase1" { source = "d.sieve" } }', {"d.sieve": "discard;"})
    assert decided(made, tracing=True).recipients[0].outcome.trace == ()


def test_a_users_script_that_cannot_be_read_keeps_and_is_reported(
    site: MakeSite, decided: Decide, shown: Show, tmp_path: Path
) -> None:
    (tmp_path / "alice.sieve").mkdir()
    (tmp_path / "carol.sieve").symlink_to("carol.sieve")
    decision = decided(site('users { scripts = "%n.sieve" }'), "alice@x.org", "carol@x.org")
    assert shown(decision) == ["alice implicit keep", "carol implicit keep"]
    assert len(faults(decision)) == 2
    assert "directory" in faults(decision)[0]


def test_a_name_too_long_for_a_file_has_no_script(site: MakeSite, decided: Decide) -> None:
    decision = decided(site('users { scripts = "%n.sieve" }'), f"{'a' * 253}@x.org")
    assert faults(decision) == []


def test_other_scripts_run_after_a_users_fault(site: MakeSite, decided: Decide, shown: Show) -> None:
    config = 'users { scripts = "u.sieve" after = "a.sieve" }'
    scripts = {"u.sieve": "nonsense;", "a.sieve": 'require "fileinto"; fileinto "after";'}
    decision = decided(site(config, scripts))
    assert shown(decision) == ["alice fileinto after"]
    assert len(faults(decision)) == 1


ONE_POLICY = 'sieve "s" {{ runtime_error = "%s" script "{}" {{ source = "p.sieve" }} }} users {{ scripts = "u.sieve" }}'
POLICIES = {
    "data": ONE_POLICY.format("data_phase1"),
    "each_rcpt": ONE_POLICY.format("each_rcpt_phase1"),
    "before": 'sieve "s" { runtime_error = "%s" } users { scripts = "u.sieve" before = "p.sieve" }',
    "after": 'sieve "s" { runtime_error = "%s" } users { scripts = "u.sieve" after = "p.sieve" }',
}


@pytest.mark.parametrize("place", POLICIES)
@pytest.mark.parametrize("script", ["nonsense;", 'require "reject"; keep; reject "x";'])
def test_a_policy_that_faults(
    site: MakeSite, decided: Decide, shown: Show, caplog: Any, place: str, script: str
) -> None:
    """fail: deferred, without a word about the cause; continue: as if the script did not exist, but reported."""
    scripts = {"p.sieve": script, "u.sieve": 'require "fileinto"; fileinto "u"; keep;'}
    deferred = "451 4.3.0 This message cannot be processed at this time, please try again later"
    decision = decided(site(POLICIES[place] % "fail", scripts))
    assert shown(decision) == [f"all {deferred}" if place == "data" else f"alice {deferred}"]
    assert len(faults(decision)) == 1
    assert "p.sieve" in caplog.text
    decision = decided(site(POLICIES[place] % "continue", scripts))
    assert shown(decision) == ["alice fileinto u", "alice keep"]
    assert len(faults(decision)) == 1


@pytest.mark.parametrize("runtime_error", ["fail", "continue"])
def test_a_policy_that_is_gone(
    site: MakeSite, decided: Decide, shown: Show, tmp_path: Path, runtime_error: str
) -> None:
    made = site(POLICIES["data"] % runtime_error, {"p.sieve": "keep;", "u.sieve": "discard;"})
    (tmp_path / "p.sieve").unlink()
    decision = decided(made)
    assert "No such file" in faults(decision)[0]
    assert shown(decision) == (["alice discard"] if runtime_error == "continue" else [f"all 451 4.3.0 {DEFERRED.text}"])


def test_a_policy_that_is_a_directory(tmp_path: Path, decided: Decide) -> None:
    made = Site(Settings(values={SIEVE: Policy({"data_phase1": (tmp_path,)})}))
    assert decided(made).response == DEFERRED


def test_limits_of_the_site(site: MakeSite, decided: Decide) -> None:
    made = site(
        'limits { actions = 1 } users { scripts = "u.sieve" }',
        {"u.sieve": 'require "fileinto"; fileinto "a"; fileinto "b";'},
    )
    assert faults(decided(made)) == ["more than 1 actions"]


def test_mailboxes_that_exist(site: MakeSite, decided: Decide, shown: Show) -> None:
    script = 'require ["mailbox", "fileinto"]; if mailboxexists "Junk" { fileinto "Junk"; }'
    made = site('users { scripts = "u.sieve" }', {"u.sieve": script})
    assert shown(decided(made)) == ["alice implicit keep"]

    def answers(recipient: str) -> Answers:
        return {Mailbox: lambda question: (recipient, question.name) == ("alice@example.com", "Junk")}

    decision = decided(made, "alice@example.com", "carol@example.com", answers=answers)
    assert shown(decision) == ["alice fileinto Junk", "carol implicit keep"]  # asked for each recipient


def test_what_one_recipients_script_changes_is_not_in_the_message_of_another(site: MakeSite, decided: Decide) -> None:
    tell = 'if header "x-seen" "yes" { discard; }'
    scripts = {
        "alice.sieve": 'require "editheader"; addheader "X-Seen" "yes";',
        "after.sieve": tell,
        "carol.sieve": "keep;",
    }
    made = site('users { scripts = "%n.sieve" after = "after.sieve" }', scripts)
    decision = decided(made, "alice@example.com", "carol@example.com", "alice@example.com")
    assert [[action.name for action in one.outcome.actions] for one in decision.recipients] == [
        ["addheader", "discard"],
        ["keep"],
        ["addheader", "discard"],
    ]


# ---- where users' scripts are


@pytest.mark.parametrize(
    ("template", "recipient", "path"),
    [
        ("/s/%u.sieve", "alice@example.com", "/s/alice@example.com.sieve"),
        ("/s/%u", "Alice+X@Example.COM", "/s/alice+x@example.com"),
        ("/s/%d/%n.sieve", "Alice+Shop@Example.COM", "/s/example.com/alice.sieve"),
        ("/s/%d/%n.sieve", "<alice@example.com>", "/s/example.com/alice.sieve"),
        ("/s/100%%/%n", "alice@x.org", "/s/100%/alice"),
        ("/s/all.sieve", "alice@x.org", "/s/all.sieve"),
        ("/s/%u", "@a.org,@b.org:joe@c.org", "/s/joe@c.org"),
        ("/s/%n", '"a b"@x.org', "/s/a b"),
        ("/s/%n", "\u00c4@x.org", "/s/\u00e4"),
        ("/s/%n", "a_b@x.org", "/s/a_b"),
        ("/s/%n", "postmaster", "/s/postmaster"),
        ("/s/%n/%d", "a.b-c@[192.0.2.1]", "/s/a.b-c/[192.0.2.1]"),
    ],
)
def test_user_script(template: str, recipient: str, path: str) -> None:
    assert fill(template, recipient) == Path(path)


@pytest.mark.parametrize("template", ["/s/%u.sieve", "/s/%n.sieve", "/s/%d/%n.sieve", "/s/x-%n"])
@pytest.mark.parametrize(
    "recipient",
    [
        '"../../etc/passwd"@x.org',
        '"a/b"@x.org',
        '"a\x00b"@x.org',
        '"a\\\\b"@x.org',
        '"a\x1bb"@x.org',
        '"\ud800"@x.org',
        f"{'a' * 256}@x.org",
        "/@x.org",
        "a/b@x.org",
        "",
        "<>",
    ],
)
def test_no_address_leaves_the_template(template: str, recipient: str) -> None:
    assert fill(template, recipient) is None


@pytest.mark.parametrize("recipient", ['".."@x.org', '"."@x.org', '".hidden"@x.org'])
def test_a_quoted_dot_is_a_name_only_where_it_stands_alone(recipient: str) -> None:
    assert fill("/s/%n", recipient) is None
    assert fill("/s/%u", recipient) == Path(f"/s/{recipient}")  # quotes, dots and all: one entry of /s


@pytest.mark.parametrize("recipient", ["+shop@x.org", "no-at-sign", "a@b@c", '""@x.org', "a@../b"])
def test_an_address_without_the_part_asked_for(recipient: str) -> None:
    assert fill("/s/%d/%n", recipient) is None


@pytest.mark.parametrize("template", ["/s/%x", "/s/%", "/s/%%%"])
def test_a_template_with_other_marks(template: str) -> None:
    assert fill(template, "alice@x.org") is None


# ---- scripts are remembered


def test_a_changed_script_is_checked_anew(site: MakeSite, decided: Decide, shown: Show, tmp_path: Path) -> None:
    made = site('users { scripts = "u.sieve" }', {"u.sieve": "discard;"})
    path = tmp_path / "u.sieve"
    first = made.scripts.checked(path, "each_rcpt")
    assert made.scripts.checked(path, "each_rcpt") is first
    assert made.scripts.checked(path, "data") is not first  # other words may stand there
    assert shown(decided(made)) == ["alice discard"]
    path.write_text("keep;")
    assert shown(decided(made)) == ["alice keep"]
    path.write_text("stop;")  # as long as the one before
    os.utime(path, ns=(1, 1))
    assert shown(decided(made)) == ["alice implicit keep"]
    path.unlink()
    assert shown(decided(made)) == ["alice implicit keep"]


def test_not_all_scripts_are_remembered(tmp_path: Path) -> None:
    scripts = Scripts(Site().vocabulary, size=2)
    paths = [tmp_path / f"{n}.sieve" for n in range(3)]
    for path in paths:
        path.write_text("keep;")
    first = scripts.checked(paths[0], "each_rcpt")
    for path in paths:
        scripts.checked(path, "each_rcpt")
    assert scripts.checked(paths[0], "each_rcpt") is not first


def test_a_script_is_remembered_for_some_time(site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.sieve").write_text("keep;")
    now = 1000.0
    monkeypatch.setattr("sieveav.site.scripts.time.monotonic", lambda: now)
    for life, again in ((0, False), (9, True)):
        scripts = site(f'sieve "s" {{ cache_size = 5 cache_life = {life} }}').scripts
        first = scripts.checked(tmp_path / "a.sieve", "each_rcpt")
        now += 8
        assert scripts.checked(tmp_path / "a.sieve", "each_rcpt") is first
        now += 2
        assert (scripts.checked(tmp_path / "a.sieve", "each_rcpt") is not first) == again


# ---- without a configuration, and what a configuration is read from


def test_the_embedded_site(decided: Decide) -> None:
    site = embedded()
    assert site.engines == (yara.engine.name,)
    decision = decided(site)
    assert decision.verdicts == ()
    assert decision.recipients[0].outcome.actions[0].implicit


def test_a_configuration_that_is_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "site.conf"
    for octets in (b"#" * (1024 * 1024 + 1), b"#" + "\u00e9".encode() * (1024 * 1024), b"#" + b"\xff" * 5_000_000):
        file.write_bytes(octets + b"\nnonsense {}\n")
        with pytest.raises(Refused) as refused:
            load(file)
        assert "too long" in refused.value.problems[0].message


def test_notes_of_scripts_are_logged(site: MakeSite, decided: Decide, caplog: Any) -> None:
    """Where they come from, how grave they are, and what they say."""
    caplog.set_level("INFO")
    script = 'require "extlists";\nredirect :list "tag:a,2026:b";'
    config = 'users { scripts = "%n.sieve" }  list "tag:a,2026:b" { file = "b.txt" }'
    decided(site(config, {"alice.sieve": script, "b.txt": "nobody\n"}))
    lines = [record.getMessage() for record in caplog.records]
    assert [line.rpartition("/")[2] for line in lines] == [
        'alice.sieve:2: warning: redirect: list "tag:a,2026:b" has 1 member that is not an email address',
        'alice.sieve:2: warning: redirect: list "tag:a,2026:b" has no email addresses',
    ]
