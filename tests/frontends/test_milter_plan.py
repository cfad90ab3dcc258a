"""What a milter answers for a decision: each row of the table, and the edits of a header."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieveav.api import check
from sieveav.frontends.milter_plan import END, Answering, Field, Plan, fields_in, header_edits, plan
from sieveav.running.effects import Quarantine, Record, Send, Store
from sieveav.running.message import Message
from sieveav.running.outcome import Action, Response
from sieveav.running.questions import Seen
from sieveav.site.deciding import DEFERRED, decide
from sieveav.site.site import embedded
from sieveav.site.transaction import Decision, Transaction
from sieveav.verdict import Status, Verdict

RAW = b"From: bob@example.org\r\nTo: alice@example.com\r\nX-A: 1\r\nSubject: hi\r\nX-A: 2\r\n\r\nHello.\r\n"

REQUIRE = """require ["envelope", "fileinto", "copy", "reject", "editheader", "replace", "vacation", "duplicate", "imap4flags",
"special-use", "variables", "ec_action", "enclose", "enotify", "fcc", "ereject"];
"""


def decision_for(**scripts: str) -> tuple[Decision, Message]:
    """The decision for recipients NAME@example.com, each with a script of its own."""
    arms = "".join(f'if envelope :localpart "to" "{name}" {{ {script} }}\n' for name, script in scripts.items())
    checked = check(REQUIRE + arms)
    assert checked.program is not None, [problem.message for problem in checked.problems]
    message = Message(RAW)
    recipients = tuple(f"{name}@example.com" for name in scripts)
    transaction = Transaction(message, "bob@example.org", recipients)
    return decide(embedded(), transaction, script=checked, answers=lambda _: {Seen: lambda _: False}), message


def planned(answering: Answering = Answering(), /, **scripts: str) -> Plan:  # noqa: B008  # immutable
    return plan(*decision_for(**scripts), answering)


SUBMITS = Answering(sends=True, bounce=True)
PLUS = Answering(plus=True)


def test_keep() -> None:
    assert planned(alice="keep;", carol="") == Plan()
    assert planned(alice='keep :flags "\\\\Seen";') == Plan()


@pytest.mark.parametrize("scripts", [{"alice": "discard;"}, {"alice": "discard;", "carol": "discard;"}])
def test_a_discard_of_all(scripts: dict[str, str]) -> None:
    answer = planned(**scripts)
    assert answer.discard
    assert answer.response is None


def test_a_discard_of_one() -> None:
    assert planned(alice="discard;", carol="keep;") == Plan(remove=("alice@example.com",))


def test_redirects() -> None:
    assert planned(alice='redirect "x@example.org";') == Plan(
        remove=("alice@example.com",), add=(("x@example.org", ""),)
    )
    assert planned(alice='redirect :copy "x@example.org";') == Plan(add=(("x@example.org", ""),))
    both = planned(alice='redirect "x@example.org";', carol='redirect "x@example.org"; keep;')
    assert both == Plan(remove=("alice@example.com",), add=(("x@example.org", ""),))


def test_a_redirect_to_a_recipient_who_gets_the_message_anyway() -> None:
    assert planned(alice='redirect "Carol@Example.com";', carol="keep;") == Plan(remove=("alice@example.com",))
    swapped = planned(alice='redirect "carol@example.com";', carol='redirect "alice@example.com";')
    assert set(swapped.remove) == {"alice@example.com", "carol@example.com"}
    assert {address for address, _ in swapped.add} == {"alice@example.com", "carol@example.com"}


def test_all_refuse() -> None:
    answer = planned(alice='reject "no";', carol='ec_action 550 "5.7.0 never";')
    assert answer.response is not None
    assert (answer.response.code, answer.response.text) == (550, "no")
    mixed = planned(alice='reject "no";', carol='ec_action 451 "later";')
    assert mixed.response is not None
    assert (mixed.response.code, mixed.response.text) == (451, "later")


def test_some_refuse() -> None:
    answer = planned(alice='reject "no";', carol="keep;")
    assert answer.response == DEFERRED
    assert "some recipients refuse" in answer.reason
    later = planned(alice='ec_action 451 "later";', carol="keep;")
    assert later.response == DEFERRED


def test_some_refuse_a_virus() -> None:
    """They are removed without a notice."""
    decision, message = decision_for(alice='reject "no";', carol="keep;")
    infected = Decision(
        None, decision.recipients, (Verdict("yara", Status.INFECTED, "E"),), decision.context, "", None, ()
    )
    assert plan(infected, message) == Plan(remove=("alice@example.com",))


@pytest.mark.parametrize(
    "scripts",
    [
        {"alice": 'fileinto "Junk";'},
        {"alice": 'reject "no";', "carol": "keep;"},
        {"alice": 'ec_action 450 "later";', "carol": "keep;"},
        {"alice": 'redirect "x@example.org";', "carol": "discard;"},
        {"alice": 'addheader "X-A" "v";', "carol": 'addheader "X-B" "v";'},
        {"alice": 'vacation "away";'},
    ],
)
def test_what_is_left_to_delivery(scripts: dict[str, str]) -> None:
    assert plan(*decision_for(**scripts), Answering(refuse_only=True)) == Plan()


def test_what_is_refused_anyway() -> None:
    answer = plan(*decision_for(alice='ec_action 450 "later";', carol='reject "no";'), Answering(refuse_only=True))
    assert answer.response is not None
    assert answer.response.code == 450
    decision, message = decision_for(alice='reject "no";', carol='fileinto "Junk";', dave='ec_action 450 "later";')
    infected = replace(decision, verdicts=(Verdict("yara", Status.INFECTED, "E"),))
    assert plan(infected, message, Answering(refuse_only=True)) == Plan(remove=("alice@example.com",))


def quarantined(answering: Answering = Answering(), /, **scripts: str) -> Plan:  # noqa: B008  # immutable
    decision, message = decision_for(**scripts)
    hold = Action("quarantine", (Quarantine("odd"),), cancels_keep=False)
    held = [
        replace(one, outcome=replace(one.outcome, actions=(hold, *one.outcome.actions))) for one in decision.recipients
    ]
    return plan(replace(decision, recipients=tuple(held)), message, answering)


def test_a_message_that_is_held() -> None:
    """For all its recipients, with what their scripts change."""
    assert quarantined(alice="keep;", carol="keep;") == Plan(quarantine="odd")
    answer = quarantined(alice='redirect "x@example.org";', carol="discard;")
    assert (answer.quarantine, answer.add) == ("odd", (("x@example.org", ""),))
    assert quarantined(Answering(refuse_only=True), alice='fileinto "Junk";') == Plan(quarantine="odd")
    assert quarantined(SUBMITS, alice='reject "no";', carol="keep;").quarantine == "odd"


def test_a_message_that_nobody_gets_is_not_held() -> None:
    assert quarantined(alice="discard;").discard
    answer = quarantined(alice='reject "no";')
    assert (answer.response and answer.response.code, answer.quarantine) == (550, None)
    assert quarantined(alice='fileinto "Junk";').quarantine is None


def test_a_response_for_the_message() -> None:
    decision, message = decision_for(alice="keep;")
    refused = Decision(Response(550, "5.7.1", "no"), decision.recipients, (), decision.context, "data", None, ())
    assert plan(refused, message) == Plan(Response(550, "5.7.1", "no"))


@pytest.mark.parametrize("script", ['fileinto "Junk";', 'fileinto :copy "Junk";', 'keep; fileinto "A";'])
def test_what_a_milter_cannot_do_is_deferred(script: str) -> None:
    answer = planned(alice=script, carol="keep;")
    assert answer.response == DEFERRED
    assert "alice@example.com: fileinto" in answer.reason


def test_inbox_by_any_name_is_a_keep() -> None:
    assert planned(alice='fileinto "inbox";') == Plan()


def test_edits_that_all_agree_on() -> None:
    edit = 'addheader "X-New" "v"; deleteheader :index 1 "X-A";'
    answer = planned(alice=edit, carol=edit + "keep;", dave=edit + "discard;")
    assert answer.message is not None
    assert fields_in(answer.message.header)[0] == (b"X-New", b" v")
    assert answer.remove == ("dave@example.com",)


@pytest.mark.parametrize("other", ["keep;", 'addheader "X-New" "w";', 'replace "Bye.";'])
def test_edits_that_differ_are_deferred(other: str) -> None:
    answer = planned(alice='addheader "X-New" "v";', carol=other)
    assert answer.response == DEFERRED
    assert "differently" in answer.reason


def test_edits_of_someone_who_gets_nothing_do_not_count() -> None:
    assert planned(alice='addheader "X-New" "v"; discard;', carol="keep;") == Plan(remove=("alice@example.com",))


def test_a_message_of_its_own_is_not_sent_and_not_remembered() -> None:
    answer = planned(alice='vacation "I am away.";')
    assert answer.records == ()
    assert len(answer.warnings) == 1
    assert "no message is sent" in answer.warnings[0]


def test_a_message_of_its_own_is_sent() -> None:
    """With its claims, and nothing of what the MTA does."""
    answer = planned(SUBMITS, alice='vacation "I am away."; redirect :copy "x@example.org";', carol="keep;")
    assert (answer.warnings, answer.add, answer.remove, answer.records) == ((), (("x@example.org", ""),), (), ())
    (one,) = answer.sends
    assert one.recipient == "alice@example.com"
    (action,) = one.outcome.actions
    assert [type(effect) for effect in action.effects] == [Send, Record]
    assert not one.outcome.keep


def test_what_is_sent_of_a_discarded_message() -> None:
    answer = planned(SUBMITS, alice='notify "mailto:x@example.org"; discard;')
    assert answer.discard
    assert [one.recipient for one in answer.sends] == ["alice@example.com"]


def test_a_copy_of_what_is_sent() -> None:
    """It is not the plan that reports it: the message may not be sent."""
    script = 'vacation :fcc "Sent" "away";'
    assert "no copy is stored" in "".join(planned(alice=script).warnings)
    answer = planned(SUBMITS, alice=script)
    assert answer.warnings == ()
    (action,) = answer.sends[0].outcome.actions
    assert [type(effect) for effect in action.effects] == [Send, Record, Store]


def test_the_memory_of_scripts_that_send_too() -> None:
    script = 'if duplicate :uniqueid "x" { discard; } vacation "away";'
    assert planned(alice=script).records == ()
    assert [record.seconds for _, record in planned(SUBMITS, alice=script).records] == [43200]


def test_some_refuse_and_the_sender_gets_a_notice() -> None:
    answer = planned(
        SUBMITS, alice='ereject "no";', carol="keep;", dave='ec_action 554 "5.7.0 never";', erin="discard;"
    )
    assert answer.response is None
    assert answer.remove == ("alice@example.com", "dave@example.com", "erin@example.com")
    assert [one.recipient for one in answer.notices] == ["alice@example.com", "dave@example.com"]
    gone = planned(SUBMITS, alice='ereject "no";', carol="discard;")
    assert gone.discard
    assert len(gone.notices) == 1


def test_some_refuse_for_now() -> None:
    answer = planned(SUBMITS, alice='ereject "no";', carol="keep;", dave='ec_action 451 "later";')
    assert answer == Plan(DEFERRED, reason="one recipient defers the message")


def test_all_refuse_in_the_reply() -> None:
    answer = planned(SUBMITS, alice='ereject "no";', carol='ereject "never";')
    assert answer.response is not None
    assert (answer.response.code, answer.notices) == (550, ())


@pytest.mark.parametrize("status", [Status.INFECTED, Status.SUSPICIOUS])
def test_no_notice_about_a_virus(status: Status) -> None:
    decision, message = decision_for(alice='reject "no";', carol="keep;")
    infected = replace(decision, verdicts=(Verdict("yara", status, "E"),))
    assert plan(infected, message, SUBMITS) == Plan(remove=("alice@example.com",))


def test_a_mailbox_in_the_address() -> None:
    assert planned(PLUS, alice='fileinto "Junk";', carol="keep;") == Plan(
        remove=("alice@example.com",), add=(("alice+Junk@example.com", ""),)
    )
    assert planned(PLUS, alice='fileinto :copy "Junk";') == Plan(add=(("alice+Junk@example.com", ""),))
    two = planned(PLUS, alice='fileinto "A"; fileinto :flags "\\\\Seen" "B/c d";')
    assert two.add == (("alice+A@example.com", ""), ('"alice+B/c d"@example.com', ""))
    assert two.remove == ("alice@example.com",)
    assert planned(PLUS, alice='fileinto "INBOX";') == Plan()
    special = 'fileinto :specialuse "\\\\Junk" "Spam";'
    assert planned(PLUS, alice=special).add == (("alice+Spam@example.com", ""),)
    assert planned(alice=special.replace("Spam", "INBOX")).response == DEFERRED


def test_a_mailbox_that_is_in_the_address() -> None:
    decision, message = decision_for(alice='fileinto "Junk";')
    (one,) = decision.recipients
    detailed = replace(decision, recipients=(replace(one, recipient="alice+Junk@example.com"),))
    assert plan(detailed, message, PLUS) == Plan()
    other = replace(decision, recipients=(replace(one, recipient="alice+x@example.com"),))
    assert plan(other, message, PLUS).add == (("alice+Junk@example.com", ""),)


@pytest.mark.parametrize("answering", [Answering(), PLUS])
def test_a_detail_that_the_sender_has_written_stays(answering: Answering) -> None:
    """The MTA decides what it means."""
    decision, message = decision_for(alice="keep;")
    detailed = replace(decision, recipients=(replace(decision.recipients[0], recipient="alice+x@example.com"),))
    assert plan(detailed, message, answering) == Plan()


@pytest.mark.parametrize("name", ["../x", "M\u00fcll", ".a", "a//b"])
def test_a_mailbox_that_cannot_be_in_an_address(name: str) -> None:
    answer = planned(PLUS, alice=f'fileinto "{name}";', carol="keep;")
    assert answer.response == DEFERRED
    assert answer.reason == f'alice@example.com: the mailbox "{name}" cannot be in an address'


def test_edits_that_differ_between_mailboxes() -> None:
    same = 'addheader "X-New" "v"; '
    answer = planned(PLUS, alice=same + 'fileinto "Junk";', carol=same)
    assert answer.message is not None
    assert answer.add == (("alice+Junk@example.com", ""),)
    assert planned(PLUS, alice=same + 'fileinto "Junk";', carol="keep;").response == DEFERRED


def test_records_of_recipients() -> None:
    answer = planned(alice='if duplicate :uniqueid "x" { discard; }', carol="keep;")
    ((recipient, record),) = answer.records
    assert (recipient, record.seconds) == ("alice@example.com", 43200)


# ---- header edits


def apply(before: list[Field], after: list[Field]) -> list[Field]:
    """The edits of `header_edits`, carried out one after the other as an MTA does."""
    fields = list(before)
    for edit in header_edits(before, after):
        if edit.value is None:
            places = [i for i, (name, _) in enumerate(fields) if name.lower() == edit.name.lower()]
            del fields[places[edit.index - 1]]
        else:
            fields.insert(edit.index - 1, (edit.name, edit.value))
    return fields


NAMES = st.sampled_from([b"A", b"a", b"B", b"C"])
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b" 1", b" 2", b" 3\n 4"])), max_size=8)


@given(FIELDS, FIELDS)
def test_the_edits_make_the_other_header(before: list[Field], after: list[Field]) -> None:
    assert apply(before, after) == after


def test_a_field_that_stays_is_not_edited() -> None:
    before = [(b"A", b" 1"), (b"B", b" 2"), (b"A", b" 3")]
    edits = list(header_edits(before, [(b"X", b" 0"), (b"A", b" 1"), (b"A", b" 3")]))
    assert [(edit.index, edit.name, edit.value) for edit in edits] == [(1, b"B", None), (1, b"X", b" 0")]


def apply_as_sendmail(before: list[Field], after: list[Field]) -> list[Field]:
    """The edits of `header_edits`, carried out as Sendmail 8.17 does: its Received field is the first, others that it hides
    follow, and what is deleted still counts."""
    received, hidden = (b"Received", b" by us"), None
    fields: list[Field | None] = [received, *[hidden] * 7, *before]
    for edit in header_edits(before, after):
        if edit.value is None:
            places = [i for i, field in enumerate(fields) if i and field and field[0].lower() == edit.name.lower()]
            fields[places[edit.index - 1]] = hidden
        else:
            fields.insert(edit.index, (edit.name, edit.value))
    assert fields[0] == received
    return [field for field in fields[1:] if field is not None]


@given(FIELDS, FIELDS.map(dict.fromkeys).map(list), FIELDS, st.data())
def test_fields_at_both_ends_in_sendmail(
    top: list[Field], before: list[Field], end: list[Field], data: st.DataObject
) -> None:
    """What is added at the top or at the end comes there, whatever is deleted, if no two fields are the same."""
    new = [[(b"X-" + name, value) for name, value in fields] for fields in (top, end)]
    stay = [field for field in before if data.draw(st.booleans())]
    assert apply_as_sendmail(before, [*new[0], *stay, *new[1]]) == [*new[0], *stay, *new[1]]


def test_a_last_field_comes_to_the_end_of_any_header() -> None:
    """Also if there is one of that name: Sendmail would add it before that."""
    before = [(b"A", b" 1"), (b"B", b" 2")]
    edits = list(header_edits(before, [(b"X", b" 0"), *before, (b"A", b" 3"), (b"C", b" 4")]))
    assert [(edit.index, edit.name) for edit in edits] == [(1, b"X"), (END, b"A"), (END, b"C")]


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (b"A: 1\r\nB:2\r\n", [(b"A", b" 1"), (b"B", b"2")]),
        (b"A: 1\r\n\tx\r\n y\r\nB: 2\r\n", [(b"A", b" 1\n\tx\n y"), (b"B", b" 2")]),
        (b"nonsense\r\nA: 1\r\n", [(b"A", b" 1")]),
        (b"", []),
        (b" x\r\n", []),
    ],
)
def test_fields_in(header: bytes, fields: list[Field]) -> None:
    assert fields_in(header) == fields
