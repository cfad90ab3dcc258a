"""The line of the log for a message: its fields in text and JSON, its bounds; and that nobody who writes mail can forge one."""

from __future__ import annotations

import json
import logging
import os
import select
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted
from support.command_line import validator

from sieveav.frontends.log_lines import MESSAGE, LogLines, is_journal
from sieveav.frontends.message_log import LENGTHS, LINE, MEMBERS, MessageLine, cut, message_line, pairs
from sieveav.language.problems import Place, Source
from sieveav.running.effects import AddField, Count, Discard, Effect, Refuse, Send, Store
from sieveav.running.outcome import IMPLICIT_KEEP, KEPT, UNDECIDED, Action, Fault, Outcome, Response, response
from sieveav.running.questions import Context
from sieveav.site.transaction import Decision, RecipientDecision, Session
from sieveav.verdict import Status, Verdict

SESSION = Session("192.0.2.1", "mx.example.org")

VERDICTS = (Verdict("yara", Status.INFECTED, "Eicar_Test_File", ms=3), Verdict("clamav", Status.CLEAN))

HELD = response(550, "5.7.1 held: Eicar_Test_File", "virus")


def acting(*actions: Action) -> Outcome:
    return Outcome(actions=actions, keep=False)


def action(name: str, *effects: Effect) -> Action:
    return Action(name, effects)


def one(recipient: str, outcome: Outcome = KEPT, reply: Response | None = None) -> RecipientDecision:
    return RecipientDecision(recipient, outcome, reply, {})


def decided(*recipients: RecipientDecision, **fields: Any) -> Decision:
    return replace(Decision(None, recipients, (), Context({}, {})), **fields)


def line(decision: Decision, sender: str = "bob@example.org", session: Session = SESSION, **fields: Any) -> MessageLine:
    given = {"server": "m1", "size": 1204, "seconds": 0.0074, **fields}
    return message_line("milter", "4ABC", session, sender, decision, **given)


def record(message: object, level: int = logging.INFO, error: BaseException | None = None) -> logging.LogRecord:
    about = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("sieveav", level, __file__, 1, message, (), about)
    made.process, made.created = 812, 1785232800.123
    return made


def in_json(message: object, level: int = logging.INFO, error: BaseException | None = None) -> Any:
    """The JSON line of a record, checked against the schema."""
    text = LogLines("json", journal=False).format(record(message, level, error))
    assert text.isascii()
    assert "\n" not in text
    value = json.loads(text)
    problem = next(validator("serve").iter_errors(value), None)
    assert problem is None, problem
    return value


def parsed(text: str) -> list[tuple[str, str]]:
    """What a program reads in the text of a line."""
    return [(name, value) for name, _, value in (part.partition("=") for part in shlex.split(text))]


# ---- the fields

TO = "alice@example.com"

CASES: Mapping[str, Callable[[], MessageLine]] = {
    "kept": lambda: line(decided(one(TO))),
    "null sender": lambda: line(decided(one(TO)), ""),
    "no session": lambda: message_line("lmtp", "", Session(), "b@x.org", decided(one(TO)), size=0, seconds=0),
    "login": lambda: line(decided(one(TO)), session=Session("2001:db8::1", "[192.0.2.1]", "bob smith")),
    "refused by all": lambda: line(decided(one(TO, acting(), HELD), verdicts=VERDICTS), reply=HELD),
    "refused by one": lambda: line(decided(one(TO, acting(), HELD), one("carol@x.org"), verdicts=VERDICTS)),
    "refused as a whole": lambda: line(
        decided(one(TO, UNDECIDED.refused(None)), response=HELD, phase="data", verdicts=VERDICTS), reply=HELD
    ),
    "several lines": lambda: line(decided(one(TO)), reply=response(550, "5.7.1 one\ntwo")),
    "discarded": lambda: line(decided(one(TO, acting(action("discard", Discard())))), discarded=True),
    "targets": lambda: line(
        decided(
            one(
                TO,
                acting(
                    action("addheader", AddField("X-Checked", "yes")),
                    action("fileinto", Store("My Junk", flags=("\\Seen",))),
                    action("redirect", Send("x@example.org")),
                    action("vacation", Send("b@x.org", b"I am away."), Store("Sent", message=b"I am away.")),
                ),
            ),
            one("carol@example.com", acting(IMPLICIT_KEEP)),
        )
    ),
    "what is not shown": lambda: line(
        decided(one(TO, acting(action("refuse", Refuse("no")), Action("vacation", withheld="answered before")), HELD)),
        reply=HELD,
    ),
    "deferred": lambda: line(
        decided(one(TO, acting(action("fileinto", Store("Junk"))))),
        reply=response(451, "4.3.0 try again"),
        reason=f"{TO}: fileinto needs delivery",
    ),
    "faults": lambda: line(
        decided(
            one(TO, replace(KEPT, fault=Fault("too many actions", Place(Source("/u/a.sieve", "keep;"), 0)))),
            fault=Fault("a bad script", Place(Source("/p.sieve", "\nx;"), 1)),
        )
    ),
    "counters": lambda: line(
        decided(
            one(TO, acting(action("redirect", Send("x@y.org"), Count("sent on")))),
            one("b@x.org", acting(action("redirect", Send("x@y.org"), Count("sent on")))),
            one("c@x.org", acting(), HELD),
        )
    ),
    "counters of all recipients": lambda: line(
        decided(one(TO), one("b@x.org", acting(action("redirect", Count("seen")))), counters=("seen", "data"))
    ),
    "counters of all recipients, deferred": lambda: line(
        decided(one(TO), counters=("seen", "data")), reply=response(451, "later")
    ),
    "counters, deferred": lambda: line(
        decided(one(TO, acting(action("redirect", Count("sent on")))), one("c@x.org", acting(), HELD)),
        reply=response(451, "later"),
    ),
    "warnings": lambda: line(decided(one(TO)), warnings=[f"{TO}: no message is sent to b@x.org"]),
    "many of each": lambda: line(
        decided(one(TO, acting(*[action("redirect", Send(f"{n}@x.org")) for n in range(6)])), verdicts=VERDICTS * 3),
        warnings=[str(n) for n in range(6)],
    ),
    "a reply for each": lambda: line(
        decided(
            one(TO, acting(action("fileinto", Store("Junk"), Count("filed")))),
            one("b@x.org", acting(action("fileinto", Store("Junk"), Count("filed")))),
        ),
        replies={TO: None, "b@x.org": response(452, "4.2.2 over quota")},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_line(case: str, accepted: Accepted) -> None:
    made = CASES[case]()
    value = in_json(made, made.level)
    accepted([str(made), json.dumps(value)])
    head, recipients = {**value}, value["recipients"]
    for name in ("time", "level", "process", "recipients"):
        del head[name]
    assert parsed(str(made)) == [pair for fields in (head, *recipients) for pair in pairs(fields)]


def test_the_line_of_the_readme() -> None:
    readme = (Path(__file__).parent.parent.parent / "README.rst").read_text(encoding="utf-8")
    made = line(decided(one(TO, acting(), HELD), one("carol@example.com"), verdicts=VERDICTS[:1]))
    assert str(made) in " ".join(readme.split())


def test_something_that_is_not_done_is_a_warning() -> None:
    assert line(decided(one(TO))).level == logging.INFO
    assert line(decided(one(TO)), reason="x").level == line(decided(one(TO)), warnings=["x"]).level == logging.WARNING


def test_the_session_is_that_of_the_message() -> None:
    session = Session(login="bob")
    made = line(decided(one(TO)), session=session)
    session.login = "carol"
    assert made.as_json()["login"] == "bob"


# ---- bounds


def sizes(made: MessageLine) -> list[int]:
    """Octets of the line in each form, as a formatter writes it."""
    made_record = record(made, logging.CRITICAL)
    made_record.process = 2**22
    return [len(LogLines(form, journal=False).format(made_record).encode()) + 1 for form in ("text", "json")]


def test_ten_thousand_recipients() -> None:
    made = line(decided(*[one(f"user{n}@example.com") for n in range(10_000)]))
    for size in sizes(made):
        assert LINE - 200 < size <= select.PIPE_BUF
    value = made.as_json()
    shown = value["recipients"]
    assert [each["to"] for each in shown] == [f"user{n}@example.com" for n in range(len(shown))]
    assert value["left_out"] == [{"number": 10_000 - len(shown), "of": "recipients"}]
    fields = parsed(str(made))
    in_text = sum(name == "to" for name, _ in fields)
    assert ("left_out", f"{10_000 - in_text} recipients") in fields
    assert 40 < len(shown) <= in_text


@pytest.mark.parametrize("character", ["x", '"', "\\", "é", "\U0001f600", "\n"])
def test_the_longest_line_fits(character: str) -> None:
    """So that it is one write to a pipe."""
    long = character * 5000
    reply = Response(550, "5.7.1", long, long)
    counting = acting(*[action(long, Store(long), Count(f"{n}{long}")) for n in range(9)])
    worst = decided(
        *[one(long, replace(counting, fault=Fault(long)), reply)] * 9,
        verdicts=(Verdict(long, Status.SUSPICIOUS, long),) * 9,
        fault=Fault(long),
    )
    session = Session(long, long, long)
    made = message_line(
        long,
        long,
        session,
        long,
        worst,
        size=10**12,
        seconds=1e6,
        server=long,
        reply=reply,
        reason=long,
        warnings=[long] * 9,
    )
    assert all(size <= select.PIPE_BUF for size in sizes(made))
    assert {"number": 9, "of": "recipients"} in made.as_json()["left_out"] or len(made.as_json()["recipients"]) > 0
    in_json(made)


def test_an_address_is_not_cut() -> None:
    longest = "a" * 64 + "@" + "b" * 189
    assert line(decided(one(longest)), longest).as_json()["recipients"][0]["to"] == longest
    assert LENGTHS["sender"] >= len(longest)


@given(st.text(), st.integers(0, 40))
def test_a_text_is_cut_to_the_octets_that_it_takes(text: str, octets: int) -> None:
    shown = cut(text, octets)
    assert shown.isprintable()
    assert len(json.dumps(shown)) - 2 <= octets
    if text.isascii() and text.isprintable() and not set(text) & {'"', "\\"}:
        assert shown == text[:octets]


def test_lists_have_few_members() -> None:
    value = line(decided(one(TO)), warnings=[str(n) for n in range(MEMBERS + 3)]).as_json()
    assert value["warnings"] == [str(n) for n in range(MEMBERS)]
    assert value["left_out"] == [{"number": 3, "of": "warnings"}]


# ---- forgery

PIECES = [
    *"\" ' \\ \\\\ = # $(x) ` { } é <6> a@b.org to= frontend=milter result=accept".split(),
    *(" ", "\n", "\r\n", "\t", "\x1b[2J", "\u2028", "\u202e", "\udc80", ' reply="250 2.0.0 ok"', 'x" to=y@z', "]}"),
]

HOSTILE = st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=8).map("".join))


@given(*[HOSTILE] * 8)
def test_no_text_forges_a_field(
    sender: str, recipient: str, helo: str, login: str, virus: str, mailbox: str, text: str, queue_id: str
) -> None:
    """The line has the fields that it should have, in their order, with what is printable of the values."""
    reply = Response(550, "5.7.1", text)
    decision = decided(
        one(recipient, acting(action("fileinto", Store(mailbox)), action("x", Count(mailbox))), reply),
        one(TO),
        verdicts=(Verdict("clamav", Status.INFECTED, virus),),
        fault=Fault(text),
    )
    session = Session("192.0.2.1", helo, login)
    made = message_line(
        "milter", queue_id, session, sender, decision, size=1, seconds=0, reason=text, warnings=[recipient]
    )
    text_line = LogLines("text", journal=True).format(record(made))
    assert text_line.isprintable()
    assert text_line.startswith("<6>812 INFO frontend=milter ")
    fields = parsed(str(made))
    value = in_json(made)
    head = {name: each for name, each in value.items() if name not in ("time", "level", "process", "recipients")}
    assert fields == [pair for part in (head, *value["recipients"]) for pair in pairs(part)]
    assert [each for name, each in fields if name == "to"] == [shown("to", recipient), TO]
    assert [each for name, each in fields if name == "result"] == ["accept"]
    assert value["sender"] == shown("sender", sender)
    assert value["verdicts"][0]["status"] == "infected"
    for name, hostile in (("helo", helo), ("login", login), ("reason", text), ("id", queue_id)):
        assert value.get(name, "") == shown(name, hostile)
        assert [each for key, each in fields if key == name] == ([value[name]] if hostile else [])


def shown(name: str, text: str) -> str:
    """What a line has of a text."""
    return cut(text, LENGTHS[name])


@given(HOSTILE, st.booleans())
def test_no_text_forges_a_line(text: str, journal: bool) -> None:
    """Nor in the message of another record, nor in the error of a traceback."""
    error = raised(text)
    for form in ("text", "json"):
        first, *rest = LogLines(form, journal=journal).format(record(text, logging.ERROR, error)).split("\n")
        beginning = "<3>" if journal else ""
        assert first.startswith(beginning)
        assert first.isprintable()
        assert all(each.startswith(f"{beginning}    ") and each.isprintable() for each in rest)
    value = in_json(text, logging.ERROR, error)
    assert value["message"] == cut(text, MESSAGE)
    assert value["traceback"][0] == "Traceback (most recent call last):"


def raised(text: str) -> BaseException:
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        return error


# ---- the lines of the process


def test_the_forms_of_a_record(accepted: Accepted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.Formatter, "formatTime", lambda *_: "2026-07-28 10:00:00,123")
    ready, bad = record("generation 1 is ready"), record("not reloaded", logging.ERROR)
    accepted(
        LogLines(form, journal=journal).format(each)
        for form in ("text", "json")
        for journal in (False, True)
        for each in (ready, bad, record(line(decided(one(TO))), logging.WARNING))
    )


def test_a_long_record_is_one_write_to_a_pipe() -> None:
    def deep(depth: int) -> None:
        if depth:
            deep(depth - 1)
        else:
            raise RuntimeError("\U0001f600" * 3000)

    with pytest.raises(RuntimeError) as caught:
        deep(200)
    for form in ("text", "json"):
        for text in ("x" * 10_000, "\U0001f600" * 10_000):
            shown = LogLines(form, journal=True).format(record(text, logging.CRITICAL, caught.value))
            assert len(shown.encode()) < select.PIPE_BUF
            assert "RuntimeError: " in shown
    assert len(in_json("x" * 10_000)["message"]) == MESSAGE


@pytest.fixture
def stream() -> Iterator[Any]:
    """A pipe's end for writing."""
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        yield stream
    os.close(read)


def test_the_journal_is_known_by_its_inode(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    status = os.fstat(stream.fileno())
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    assert not is_journal(stream)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    assert is_journal(stream)
    assert not is_journal(sys.stdin)  # not the same file, or none
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino + 1}")
    assert not is_journal(stream)
