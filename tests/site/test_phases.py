"""The phases of SMTP: which scripts run when, what they see, what ends a transaction, and what lives on."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.engines import Engines
from support.sites import Decide, MakeSite, Show

from sieveav.language.extension import SMTP_PHASES
from sieveav.running.message import Message
from sieveav.running.questions import Environment
from sieveav.site.deciding import Conversation, decide
from sieveav.site.site import Site
from sieveav.site.stanzas.sieve import PHASES
from sieveav.site.stanzas.users import USERS
from sieveav.site.transaction import Decision, Session, Transaction

BEFORE_DATA = ("connect", "ehlo", "mailfrom", "rcptto")
ALL = (*BEFORE_DATA, "data", "spool", "each_rcpt")

REQUIRE = 'require ["vctx", "variables", "ec_action"];'


def policy(phases: dict[str, str]) -> tuple[str, dict[str, str]]:
    """A configuration with a script for each phase, and the scripts."""
    stanzas = "".join(f'script "{phase}" {{ source = "{phase}.sieve" }}\n' for phase in phases)
    return f'sieve "s" {{ {stanzas} }}', {f"{phase}.sieve": REQUIRE + text for phase, text in phases.items()}


def marking(phase: str) -> str:
    return f'if true {{ vctx_conn_set "order" "${{vctx_conn.order}}{phase} "; }}'


def test_the_phases() -> None:
    assert SMTP_PHASES == ALL
    assert len(PHASES) == 2 * len(ALL)


def test_all_phases_run_in_their_order_each_in_two_parts(site: MakeSite, decided: Decide) -> None:
    shuffled = list(PHASES)
    random.Random(1).shuffle(shuffled)
    made = site(*policy({phase: marking(phase) for phase in shuffled}))
    decision = decided(made)
    before = [phase for phase in PHASES if not phase.startswith("each_rcpt")]
    assert decision.context.connection["order"].split() == before
    order = decision.recipients[0].context["order"]
    assert order is not None
    assert order.split() == list(PHASES)


@pytest.mark.parametrize("phase", [phase for phase in PHASES if not phase.startswith("each_rcpt")])
def test_a_response_ends_all(site: MakeSite, decided: Decide, shown: Show, phase: str) -> None:
    scripts = {each: marking(each) for each in PHASES} | {phase: 'ec_action 550 "5.7.0 no";'}
    decision = decided(site(*policy(scripts)))
    ran = decision.context.connection.get("order", "").split()
    assert ran == list(PHASES[: PHASES.index(phase)])
    if phase.startswith("rcptto"):  # it is the recipient's own: others may be accepted
        assert shown(decision) == ["alice 550 5.7.0 no"]
    else:
        assert shown(decision) == ["all 550 5.7.0 no"]
        assert decision.phase == phase.partition("_")[0]


def test_one_recipient_is_refused_and_the_other_gets_the_message(site: MakeSite, decided: Decide, shown: Show) -> None:
    refuse = 'require "envelope"; if envelope "to" "carol@x.org" { ec_action 550 "5.1.1 no such user"; }'
    made = site(*policy({"rcptto_phase1": refuse, "data_phase1": "stop;"}))
    for recipients in (["carol@x.org", "alice@x.org"], ["alice@x.org", "carol@x.org"]):
        decision = decided(made, *recipients)
        assert sorted(shown(decision)) == ["alice implicit keep", "carol 550 5.1.1 no such user"]
        assert [one.recipient for one in decision.recipients] == recipients


def test_nothing_is_scanned_if_every_recipient_is_refused(
    site: MakeSite, decided: Decide, engines: Engines, shown: Show
) -> None:
    config, scripts = policy({"rcptto_phase1": 'ec_action 550 "no";'})
    decision = decided(site('av {} antivirus "a" { av "av1" {} }' + config, scripts))
    assert engines.asked == []
    assert shown(decision) == ["alice 550 5.7.1 no"]
    assert decision.phase == "rcptto"


@pytest.mark.parametrize("phase", BEFORE_DATA)
def test_a_fault_before_the_message_defers(site: MakeSite, decided: Decide, shown: Show, phase: str) -> None:
    decision = decided(site(*policy({f"{phase}_phase1": "nonsense;"})))
    assert shown(decision)[0].split()[1] == "451"
    fault = decision.fault or decision.recipients[0].outcome.fault
    assert fault is not None
    assert "nonsense" in fault.message


@pytest.mark.parametrize("phase", BEFORE_DATA)
@pytest.mark.parametrize("word", ['fileinto "x";', "keep;", "discard;", 'if header "a" "b" {}', "if size :over 1 {}"])
def test_what_needs_a_message_is_refused_before_there_is_one(site: MakeSite, phase: str, word: str) -> None:
    made = site(*policy({f"{phase}_phase1": 'require "fileinto";' + word}))
    ((path, checked_for),) = made.policies()
    assert checked_for == phase
    assert made.scripts.checked(path, phase).program is None


def test_what_scripts_know_of_the_session(site: MakeSite) -> None:
    talk = Conversation(site(), Session("192.0.2.1", "mail.example.org", "alice"))
    answer = talk._known("")[Environment]
    assert answer(Environment("remote-ip")) == "192.0.2.1"
    assert answer(Environment("name")) == "sieveav"
    assert answer(Environment("host")) is None
    assert answer(Environment("remote-host")) == ""
    assert Conversation(site())._known("")[Environment](Environment("remote-ip")) is None


def test_the_server_and_the_clients_name(site: MakeSite) -> None:
    session = Session("192.0.2.1", name="mx.example.org", host="mail.example.com", location="MDA")
    answer = Conversation(site(), session)._known("")[Environment]
    items = ("remote-host", "host", "domain", "location")
    expected = ["mx.example.org", "mail.example.com", "example.com", "MDA"]
    assert [answer(Environment(item)) for item in items] == expected
    local = Conversation(site(), Session(host="localhost"))._known("")[Environment]
    assert (local(Environment("host")), local(Environment("domain"))) == (None, None)


@pytest.mark.parametrize("phase", [phase for phase in ALL if phase != "each_rcpt"])
def test_scripts_of_every_phase_read_the_session(site: MakeSite, phase: str) -> None:
    script = """require "environment";
    if allof (environment "remote-ip" "IPv6:2001:db8::1", environment :count "eq" "remote-host" "0",
              environment "vnd.sieveav.helo" "mx.example.org", environment "vnd.sieveav.login" "bob",
              environment "phase" "pre", not environment :contains "vnd.other" "") { ec_action 550 "seen"; }"""
    made = site(*policy({f"{phase}_phase1": 'require ["relational"];' + script}))
    session = Session("2001:db8::1", "mx.example.org", "bob")
    decision = decide(made, Transaction(Message(b"\n"), "", ("a@x.org",), session))
    answer = decision.response or decision.recipients[0].response
    assert answer is not None
    assert answer.text == "seen"


# ---- a connection with several messages


def test_variables_of_the_connection_live_on_and_those_of_the_message_do_not(site: MakeSite) -> None:
    count = 'vctx_conn_set "messages" "${vctx_conn.messages}x"; vctx_mess_set "mess" "${vctx_mess.mess}y";'
    made = site(*policy({"connect_phase1": 'vctx_conn_set "client" "known";', "mailfrom_phase1": count}))
    session = Session()
    talk = Conversation(made, session)
    talk.connect()
    talk.ehlo()
    for number in range(1, 4):
        talk.mailfrom("bob@example.org")
        talk.rcptto("alice@example.com")
        decision = talk.end_of_data(Message(b"Subject: x\n\nHi.\n"))
        assert decision.context.message == {"mess": "y"}
        assert decision.context.connection == {"client": "known", "messages": "x" * number}
        assert [one.recipient for one in decision.recipients] == ["alice@example.com"]
    assert session.connection == {"client": "known", "messages": "xxx"}


def test_a_recipients_script_changes_nothing_for_the_connection(site: MakeSite) -> None:
    made = site('users { scripts = "u.sieve" }', {"u.sieve": REQUIRE + 'vctx_conn_set "trusted" "1";'})
    session = Session()
    decision = decide(made, Transaction(Message(b"\n"), "", ("a@x.org", "b@x.org"), session))
    assert session.connection == {}
    assert [one.context for one in decision.recipients] == [{"trusted": "1"}] * 2


# ---- a user's script must not write what a policy reads


FORGE = 'vctx_mess_set "av_status" "clean"; vctx_mess_set "skip_virus_check" "1"; vctx_mess_delete "level"; keep;'
AFTER = """require ["antivirus", "ereject", "vctx", "fileinto"];
if anyof (antivirus "infected", vctx "av_status" "virus") { ereject "no"; }
if not vctx "level" "high" { fileinto "forged"; }"""


@pytest.mark.parametrize("place", ["after", "each_rcpt_phase2"])
@pytest.mark.parametrize("passive", ["enabled = false", ""])
def test_a_user_cannot_forge_what_a_later_policy_reads(
    site: MakeSite, decided: Decide, engines: Engines, shown: Show, place: str, passive: str
) -> None:
    engines.said["av"] = ("infected", "E")
    users = 'users { scripts = "u.sieve" before = "before.sieve" %s }' % (
        'after = "after.sieve"' if place == "after" else ""
    )
    sieve = f'sieve "s" {{ script "{place}" {{ source = "after.sieve" }} }}' if place != "after" else ""
    made = site(
        f'av {{}} antivirus "a" {{ av "av1" {{ {passive} }} }} {users} {sieve}',
        {
            "before.sieve": REQUIRE + 'vctx_mess_set "level" "high";',
            "u.sieve": REQUIRE + FORGE,
            "after.sieve": AFTER,
        },
    )
    decision = decided(made)
    assert shown(decision)[0] == "alice 550 5.7.1 no"
    context = decision.recipients[0].context
    assert context["level"] == "high"
    assert context.get("av_status", "virus") == "virus"


def test_a_scan_that_a_user_asked_for_sets_the_variables_of_policies_too(
    site: MakeSite, decided: Decide, engines: Engines, shown: Show
) -> None:
    engines.said["av"] = ("infected", "E")
    made = site(
        'users { scripts = "u.sieve" after = "after.sieve" }',
        {
            "u.sieve": 'require ["antivirus", "fileinto"]; if antivirus "clean" { fileinto "x"; } keep;',
            "after.sieve": 'require ["vctx", "fileinto"]; if vctx "av_status" "virus" { fileinto "Virus"; stop; }',
        },
    )
    assert shown(decided(made)) == ["alice fileinto Virus"]


# ---- recipients side by side, transactions side by side

USER = """require ["antivirus", "fileinto", "vctx", "variables", "envelope", "body", "imap4flags"];
if antivirus "infected" { fileinto "Virus"; stop; }
if envelope :matches "to" "*@*" { set "n" "${1}"; }
if body :contains "secret" { addflag "$Secret"; fileinto "${n}"; }
elsif header :contains "subject" "sale" { discard; }
"""


@pytest.fixture
def busy(site: MakeSite) -> Site:
    config = (
        'users { scripts = "%d/%n.sieve" before = "before.sieve" } av {} antivirus "a" { av "av1" { enabled = false } }'
    )
    users = {f"{domain}/{name}.sieve": USER for domain in ("x.org", "y.org") for name in ("alice", "bob", "carol")}
    return site(config, {**users, "before.sieve": REQUIRE + 'vctx_mess_set "seen" "yes";'})


RECIPIENTS = ("alice@x.org", "bob@x.org", "carol@y.org", "bob@y.org", "nobody@y.org")


def transactions(number: int) -> list[Transaction]:
    rng = random.Random(7)
    messages = []
    for i in range(number):
        subject = rng.choice(["hello", "a sale", "re: hello"])
        body = rng.choice(["Hi.", "the secret word", "nothing"])
        raw = f"From: b{i % 17}@example.org\nSubject: {subject} {i}\n\n{body}\n".encode()
        recipients = tuple(rng.sample(RECIPIENTS, rng.randint(1, 3)))
        messages.append(Transaction(Message(raw), f"b{i % 17}@example.org", recipients))
    return messages


def essence(decision: Decision) -> tuple[object, ...]:
    recipients = [
        (one.recipient, [action.as_json() for action in one.outcome.actions], one.response, dict(one.context))
        for one in decision.recipients
    ]
    return decision.response, decision.verdicts, recipients


def test_sixteen_threads_decide_as_one_does(busy: Site) -> None:
    alone = [essence(decide(busy, transaction)) for transaction in transactions(3000)]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda transaction: essence(decide(busy, transaction)), transactions(3000)))
    assert together == alone
    assert len({str(each) for each in alone}) > 100


def test_recipients_side_by_side(busy: Site, engines: Engines) -> None:
    alone = [essence(decide(busy, transaction)) for transaction in transactions(200)]
    asked = len(engines.asked)
    with ThreadPoolExecutor(4) as pool:
        together = [essence(decide(busy, transaction, each=pool.map)) for transaction in transactions(200)]
    assert together == alone
    assert len(engines.asked) == 2 * asked  # still one scan for a message


# ---- scripts that change


def test_the_last_good_program_is_kept(
    site: MakeSite, decided: Decide, shown: Show, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, scripts = policy({"data_phase1": "stop;"})
    made = site(
        f'{config} users {{ scripts = "u.sieve" }}', {**scripts, "u.sieve": 'require "fileinto"; fileinto "a";'}
    )
    assert shown(decided(made)) == ["alice fileinto a"]
    (tmp_path / "u.sieve").write_text("fileinto broken")
    (tmp_path / "data_phase1.sieve").write_text("nonsense;")
    for _ in range(3):
        assert shown(decided(made)) == ["alice fileinto a"]
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2  # each once
    assert all(line.endswith("; it runs as it was before") for line in lines)
    (tmp_path / "u.sieve").write_text("discard;")
    assert shown(decided(made)) == ["alice discard"]
    (tmp_path / "u.sieve").write_text("fileinto broken again")
    assert shown(decided(made)) == ["alice discard"]


def test_scripts_are_kept_by_their_cost(
    site: MakeSite, decided: Decide, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sieveav.site.scripts.KEPT_COST", 100)
    made = site('users { scripts = "%n.sieve" }', {f"u{i}.sieve": "if true { keep; }" * 20 for i in range(10)})
    for i in range(10):
        decided(made, f"u{i}@x.org")
    paths = [tmp_path / f"u{i}.sieve" for i in range(10)]
    kept = [path for path in paths if (str(path), "each_rcpt") in made.scripts._kept]
    assert paths[-1] in kept
    assert len(kept) < 5


def test_threads_that_find_a_script_changed_check_it_once(site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    made = site('users { scripts = "u.sieve" }', {"u.sieve": "keep;" * 500})
    checks: list[int] = []
    vocabulary = made.scripts._vocabulary

    def counted(*args: str) -> object:
        checks.append(1)
        return vocabulary(*args)

    monkeypatch.setattr(made.scripts, "_vocabulary", counted)
    script = made.settings[USERS].active("u@x.org")
    assert script is not None
    with ThreadPoolExecutor(8) as pool:
        checked = list(pool.map(lambda _: made.scripts.checked(script, "each_rcpt"), range(64)))
    assert len({id(each) for each in checked}) == 1
    assert checks == [1]
