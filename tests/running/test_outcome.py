"""Outcomes: responses, repeated actions, and the outcome of several scripts of one recipient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support import outcomes
from support.sieve import Sieve

from sieveav import limits
from sieveav.language.problems import Place, Problem, Severity, Source, Span
from sieveav.running.effects import (
    AddField,
    Call,
    Count,
    Delay,
    Discard,
    DropFields,
    Effect,
    Pipe,
    Record,
    Refuse,
    Rewrite,
    Send,
    Store,
    folders_of,
    mailbox_flaw,
    mailbox_key,
    special_use_flaw,
)
from sieveav.running.outcome import (
    IMPLICIT_KEEP,
    LINE_LENGTH,
    NO_ASCII_TEXT,
    UNDECIDED,
    Action,
    Fault,
    Note,
    Outcome,
    Response,
    Step,
    merge,
    repeated,
    response,
)


@pytest.mark.parametrize(
    ("code", "text", "enhanced", "said"),
    [
        (550, "no", "5.7.1", "no"),
        (451, "later", "4.7.1", "later"),
        (250, "fine", "2.0.0", "fine"),
        (550, "5.1.1 no such user", "5.1.1", "no such user"),
        (550, "5.7.123 no", "5.7.123", "no"),
        (550, "5.1.1", "5.1.1", ""),
        (550, "5.1.1  two", "5.1.1", " two"),
        (550, "4.1.1 another class", "5.7.1", "4.1.1 another class"),
        (550, "5.1 no", "5.7.1", "5.1 no"),
        (550, "5.1.1.1 no", "5.7.1", "5.1.1.1 no"),
        (550, "5.1234.1 no", "5.7.1", "5.1234.1 no"),
        (550, "5.x.1 no", "5.7.1", "5.x.1 no"),
        (550, "5.²1.1 no", "5.7.1", "5.²1.1 no"),
        (550, "5..1 no", "5.7.1", "5..1 no"),
        (550, "one\r\ntwo\nthree\rfour", "5.7.1", "one\ntwo\nthree four"),
        (550, "5.1.1 one\r\ntwo", "5.1.1", "one\ntwo"),
        (550, "a\0b\x1b[31mc\x7f\x85d", "5.7.1", "ab[31mcd"),
        (550, "one  \ntwo \n", "5.7.1", "one\ntwo"),
        (550, "\n\none\n\ntwo\n\n", "5.7.1", "one\n\ntwo"),
        (550, "", "5.7.1", ""),
        (550, "grün", "5.7.1", "grün"),
    ],
)
def test_responses(code: int, text: str, enhanced: str, said: str) -> None:
    found = response(code, text, "counted")
    assert (found.code, found.enhanced, found.text, found.counter) == (code, enhanced, said, "counted")
    marked = {} if said.isascii() else {"utf8": True}
    assert found.as_json() == {"code": code, "enhanced": enhanced, "text": said, **marked}


@pytest.mark.parametrize(
    ("text", "ascii_text"),
    [
        ("no", "no"),
        ("Grüße, Ångström", "Gru?e, Angstrom"),
        ("one ü\ntwo", "one u\ntwo"),
        ("virus: 日本語", "virus: ???"),
        ("日本語", NO_ASCII_TEXT),
        ("no\n日本語", f"no\n{NO_ASCII_TEXT}"),
        ("a\n\nü", "a\n\nu"),
        ("x\ufdfa", "x???"),  # one character that decomposes into 18
    ],
)
def test_responses_in_ascii(text: str, ascii_text: str) -> None:
    """RFC 5429, 2.1.1."""
    answer = Response(550, "5.7.1", text, "counter", delay=2.0)
    assert answer.utf8 is not text.isascii()
    in_ascii = answer.in_ascii()
    assert in_ascii == replace(answer, text=ascii_text)
    assert not in_ascii.utf8
    assert all(
        len(line) <= max(len(NO_ASCII_TEXT), len(of.encode()))
        for line, of in zip(in_ascii.text.split("\n"), text.split("\n"), strict=True)
    )


@pytest.mark.parametrize(
    ("name", "flaw"),
    [
        ("INBOX", ""),
        ("a/b c.ü", ""),
        ("x" * 255, ""),
        ("", "mailbox name is empty"),
        ("x" * 256, "mailbox name is longer than 255 characters"),
        ("a\r\nb", "mailbox name contains a control character or is not UTF-8"),
        ("a\0", "mailbox name contains a control character or is not UTF-8"),
        ("\x85", "mailbox name contains a control character or is not UTF-8"),
        ("\udc80", "mailbox name contains a control character or is not UTF-8"),
    ],
)
def test_mailboxes(name: str, flaw: str) -> None:
    assert mailbox_flaw(name) == flaw


@pytest.mark.parametrize(
    ("attribute", "is_valid"),
    [
        ("\\Junk", True),
        ("\\x-Y.z+1", True),
        ("\\" + "x" * 254, True),
        ("", False),
        ("\\", False),
        ("Junk", False),
        ("\\Ju nk", False),
        ("\\Junk\\Sent", False),
        ("\\Junk)", False),
        ("\\Junk\n", False),
        ("\\Müll", False),
        ("\\" + "x" * 255, False),
    ],
)
def test_special_use_attributes(attribute: str, is_valid: bool) -> None:
    assert (special_use_flaw(attribute) == "") is is_valid


@pytest.mark.parametrize(
    ("name", "folders"),
    [
        ("a", ("a",)),
        ("a/b c.ü", ("a", "b c.ü")),
        ("", None),
        ("/etc/passwd", None),
        ("../../x", None),
        ("a/../../x", None),
        ("a/..", None),
        ("a/./b", None),
        ("a//b", None),
        ("a/", None),
        (".a", None),
        ("a/.b", None),
        ("a\\..\\b", None),
        ("a\0", None),
        ("a\nb", None),
        ("ü" * 127, ("ü" * 127,)),
        ("ü" * 128, None),
        ("a" * 256, None),
    ],
)
def test_folders_of_a_mailbox_never_leave_the_folder_above(name: str, folders: tuple[str, ...] | None) -> None:
    assert folders_of(name) == folders


@pytest.mark.parametrize(
    ("name", "folders"), [("a.b", ("a", "b")), ("a..b", None), (".a", None), ("a/b", None), ("../x", None)]
)
def test_folders_with_another_separator(name: str, folders: tuple[str, ...] | None) -> None:
    assert folders_of(name, ".") == folders


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (None, "INBOX"),
        ("INBOX", "INBOX"),
        ("inbox", "INBOX"),
        ("Inbox/a", "INBOX/a"),
        ("iNBOX.A", "INBOX.A"),
        ("inboxes", "inboxes"),
        ("a", "a"),
        ("A", "A"),
        ("a/inbox", "a/inbox"),
    ],
)
def test_the_inbox_is_one_mailbox(name: str | None, key: str) -> None:
    """RFC 3501, 5.1."""
    assert mailbox_key(name) == key


@pytest.mark.parametrize(
    ("effect", "same", "other"),
    [
        (Store("a"), Store("a", ("\\Seen",), create=True, expire="P1D", best_effort=True), Store("b")),
        (Store(), Store("inbox"), Store("INBOX/x")),
        (Store("a"), Store("a"), Store("a", special_use="\\Junk")),
        (Store("a", special_use="\\JUNK"), Store("a", special_use="\\Junk"), Store("a", special_use="\\Sent")),
        (Store("a"), Store("a"), Store("a", mailbox_id="F1")),
        (Store("a"), Store("a"), Store("a", message=b"x")),
        (Store("a"), Store("a"), Store("a", until=(("time", "8:00"),))),
        (Send("a@b"), Send("a@B", parameters=(("NOTIFY", "NEVER"),), sender=""), Send("A@b")),
        (Send("a@b"), Send("a@b"), Send("a@b", message=b"x")),
        (Refuse("a"), Refuse("b", silent=True), Discard()),
        (Record("a", 1), Record("a", 2, sliding=True), Record("b", 1)),
        (Pipe("a", ("x",)), Pipe("a", ("x",), best_effort=True), Pipe("a", ("y",))),
        (Call("a", (("x", 1),)), Call("a", (("x", 1),)), Call("a", (("x", 2),))),
        (Count("a"), Count("a"), Count("b")),
        (Delay(1), Delay(2), Discard()),
    ],
)
def test_the_target_of_an_effect(effect: Effect, same: Effect, other: Effect) -> None:
    assert effect.target == same.target
    assert effect.target != other.target
    assert Action("x", (effect,)).key == Action("y", (same,), details={"x": 1}).key
    assert Action("x", (effect,)).key != Action("x", (other,)).key
    assert Action("x", (effect, Discard())).key != Action("x", (effect,)).key


@pytest.mark.parametrize("edit", [AddField("a", "b"), DropFields("a", (1,)), Rewrite(b"x")])
def test_an_edit_never_repeats_another(edit: Effect) -> None:
    assert edit.target is None
    assert Action("x", (edit,)).key is None
    assert Action("x", (Store("a"), edit)).key is None


def test_without_effects_name_and_details_are_the_key() -> None:
    assert Action("note", details={"x": 1}).key == Action("note", details={"x": 1}, cancels_keep=False).key
    assert Action("note", details={"x": 1}).key != Action("note", details={"x": 2}).key
    assert Action("note", details={"x": [1]}).key != Action("other", details={"x": [1]}).key


KEEP = Action("keep", (Store(),), cancels_keep=False, keeps=True)


def test_repeated_actions() -> None:
    into = Action("fileinto", (Store("a", ("x",)),))
    again = Action("fileinto", (Store("a", ("y",)),), cancels_keep=False)
    assert repeated(into, again) is again  # RFC 5232, 3: the last flags
    made = repeated(into.changing(Store, create=True), again)
    assert made == again.changing(Store, create=True)
    inbox = Action("fileinto", (Store("inbox", ("x",)),))
    assert repeated(KEEP, inbox) is inbox
    assert repeated(inbox, KEEP.changing(Store, flags=("y",))) == inbox.changing(Store, flags=("y",))
    assert repeated(KEEP, KEEP.changing(Store, flags=("y",))) == KEEP.changing(Store, flags=("y",))


def test_changing() -> None:
    action = Action("odd", (Store("a"), Send("c@d"), Store("b")))
    assert action.changing(Store, flags=("x",)).effects == (Store("a", ("x",)), Send("c@d"), Store("b", ("x",)))
    assert action.effects == (Store("a"), Send("c@d"), Store("b"))


def test_marked_like() -> None:
    marks = KEEP.changing(Store, flags=("x",), expire="P1D")
    action = Action("odd", (Store("a"), Send("c@d"), Store("b", ("y",), expire="P2D")))
    marked = (Store("a", ("x",), expire="P1D"), Send("c@d"), Store("b", ("y",), expire="P2D"))
    assert action.marked_like(marks).effects == marked
    assert action.marked_like(KEEP) is action
    assert action.marked_like(Action("none")) is action


def test_an_action_as_json() -> None:
    place = Place(Source("a.sieve", "keep;\n  odd;"), 8)
    action = Action("odd", (Store("a", ("b",)), Send("c@d"), Refuse("no")), details={"more": 1}, place=place)
    assert action.as_json() == {
        "action": "odd",
        "mailbox": "a",
        "flags": ["b"],
        "address": "c@d",
        "reason": "no",
        "more": 1,
        "at": {"path": "a.sieve", "line": 2, "column": 3},
    }
    assert Action("odd", place=Place(Source("a.sieve", ""))).as_json()["at"] == {"path": "a.sieve"}


@pytest.mark.parametrize(
    ("effect", "fields", "summary"),
    [
        (Store(), {"flags": []}, ""),
        (Store("a"), {"mailbox": "a", "flags": []}, '"a"'),
        (Store(None, ("x", "y")), {"flags": ["x", "y"]}, "with x y"),
        (
            Store("a", ("x",), create=True, special_use="\\Junk", mailbox_id="F1", expire="P1D"),
            {
                "mailbox": "a",
                "flags": ["x"],
                "create": True,
                "special_use": "\\Junk",
                "mailbox_id": "F1",
                "expire": "P1D",
            },
            '\\Junk or else "a" with x',
        ),
        (
            Store("a", until=(("times", ("8:00", "9:00")), ("zone", "+0100"))),
            {"mailbox": "a", "flags": [], "until": {"times": ["8:00", "9:00"], "zone": "+0100"}},
            '"a"',
        ),
        (Send("a@b"), {"address": "a@b"}, "a@b"),
        (
            Send("a@b", b"x\xff", "", (("NOTIFY", "NEVER"),)),
            {"address": "a@b", "message": "x\ufffd", "sender": "", "parameters": {"NOTIFY": "NEVER"}},
            "a@b",
        ),
        (Refuse("a\r\n b"), {"reason": "a\r\n b"}, ": a b"),
        (Discard(), {}, ""),
        (AddField("a", "b"), {"name": "a", "value": "b"}, '"a: b"'),
        (AddField("a", "b", last=True), {"name": "a", "value": "b", "last": True}, '"a: b"'),
        (DropFields("a", (1, 3)), {"name": "a", "numbers": [1, 3]}, '"a" 1, 3'),
        (Rewrite(b"abc"), {"octets": 3}, "3 octets"),
        (Record("a", 1), {}, ""),
        (Pipe("a", ("b", "c")), {"program": "a", "arguments": ["b", "c"]}, "a b c"),
        (Call("a", (("b", 1),)), {"service": "a", "request": {"b": 1}}, "a"),
        (Count("a"), {"counter": "a"}, "a"),
        (Delay(2), {"seconds": 2}, "2 s"),
    ],
)
def test_fields_and_summary_of_effects(effect: Effect, fields: dict[str, object], summary: str) -> None:
    assert effect.fields() == fields
    assert effect.summary() == summary
    assert Action("x", (effect,)).as_json() == {"action": "x", **fields}
    assert Action("x", (effect,)).summary() == f"x{'' if summary.startswith(':') else ' '}{summary}".rstrip()


def test_the_implicit_keep() -> None:
    assert [action.as_json() for action in UNDECIDED.with_implicit_keep().actions] == [
        {"action": "keep", "flags": [], "implicit": True}
    ]
    assert Outcome().with_implicit_keep() == UNDECIDED.with_implicit_keep()
    assert Outcome(keep=False).with_implicit_keep().actions == ()
    assert Outcome(ended=True).with_implicit_keep().actions == ()
    for kept in (Outcome(actions=(KEEP,)), Outcome(actions=(Action("snooze", (Store("z"),), keeps=True),))):
        assert kept.with_implicit_keep() is kept
    inbox = Outcome(actions=(Action("fileinto", (Store("Inbox", ("x",)),), cancels_keep=False),))
    assert inbox.with_implicit_keep() is inbox  # RFC 5228, 2.10.3: it is there already
    other = IMPLICIT_KEEP.changing(Store, mailbox="Archive")
    assert Outcome(implicit=other).with_implicit_keep().actions == (other,)
    filed = Outcome(actions=(Action("fileinto", (Store("INBOX"),), cancels_keep=False),), implicit=other)
    assert filed.with_implicit_keep().actions == (*filed.actions, other)


def test_a_refusal_drops_all_actions() -> None:
    decided = Outcome(actions=(KEEP,), records=(Record("a", 1),), notes=(Note(Severity.WARNING, "x"),))
    for code, records in ((550, decided.records), (451, ())):
        refused = decided.refused(Response(code, "x", "y"))
        assert (refused.actions, refused.keep, refused.ended) == ((), False, True)
        assert refused.answer == Response(code, "x", "y")
        assert refused.records == records  # what failed only for now comes again
        assert refused.notes == decided.notes
    assert decided.refused(None).records == ()
    assert decided.refused(None).answer is None


def test_the_response_of_a_refusal_among_the_actions() -> None:
    """RFC 5429, 2.5."""
    place = Place(Source("a.sieve", "x"), 0)
    refusal = Outcome(actions=(KEEP, Action("reject", (Refuse("no\nmore"),), place=place)))
    assert refusal.answer == Response(550, "5.7.1", "no\nmore", place=place)
    assert replace(refusal, response=Response(451, "4.0.0", "later")).answer == Response(451, "4.0.0", "later")
    assert UNDECIDED.answer is None


WAITING = Outcome(actions=(Action("wait", (Delay(3),), cancels_keep=False),))


def test_a_delay_is_that_of_the_reply_whatever_it_is() -> None:
    assert (UNDECIDED.delay, WAITING.delay) == (0, 3)
    refused = WAITING.refused(response(550, "no"))
    assert (refused.actions, refused.delay) == ((), 3)
    assert outcomes.present(refused.response).as_json() == {"code": 550, "enhanced": "5.7.1", "text": "no", "delay": 3}
    assert WAITING.refused(None).response is None
    reject = replace(WAITING, actions=(*WAITING.actions, Action("reject", (Refuse("no"),))))
    assert outcomes.present(reject.answer).delay == 3


def test_no_delay_is_longer_than_a_mail_server_waits() -> None:
    assert Outcome(actions=(Action("wait", (Delay(3600),)),)).delay == limits.LONGEST_DELAY < 30
    assert UNDECIDED.refused(Response(550, "5.7.1", "no", delay=3600)).delay == limits.LONGEST_DELAY


def test_the_last_delay_of_several_scripts() -> None:
    own = Outcome(actions=(Action("wait", (Delay(1),), cancels_keep=False),))
    assert merge(WAITING, own).delay == 1
    assert merge(WAITING, UNDECIDED).delay == 3
    assert merge(WAITING, Outcome(fault=Fault("x"))).delay == 3
    assert merge(WAITING, UNDECIDED.refused(response(550, "no"))).delay == 3
    assert merge(WAITING, own.refused(response(550, "no"))).delay == 1


def test_the_end_of_a_connection_as_json() -> None:
    assert Response(421, "4.7.1", "x", disconnect=True).as_json()["disconnect"] is True


def test_faults_and_notes_are_one_line_of_text() -> None:
    assert Fault("a\r\nb\x1b").message.isprintable()
    assert Note(Severity.ADVICE, "a\r\nb\x1bü").text == "a  b ü"
    assert len(Note(Severity.ADVICE, "x" * 5000).text) == LINE_LENGTH


# ---- merge: earlier scripts, and a script's own outcome: each row of its table

INTO_A, INTO_B, INTO_C = (Action("fileinto", (Store(name),)) for name in "abc")
EDIT = Action("addheader", (AddField("x", "y"),), cancels_keep=False)
PLACED = replace(KEEP, place=Place(Source("own.sieve", "keep;"), 0))
FLAGGED = IMPLICIT_KEEP.changing(Store, flags=("x",))
BEFORE = Outcome(
    actions=(INTO_A, KEEP, EDIT),
    implicit=FLAGGED,
    records=(Record("before", 1),),
    notes=(Note(Severity.WARNING, "before"),),
    trace=(Step(None, "before", ""),),
)
NO = Response(550, "5.7.1", "no")
LATER = Response(451, "4.7.1", "later")


@pytest.mark.parametrize(
    ("own", "actions", "keep", "implicit", "records"),
    [
        # a fault: before's alone, and a keep
        ({"fault": Fault("bad")}, BEFORE.actions, True, FLAGGED, ("before",)),
        # a response: nothing else, the records unless it is only for now
        ({"response": NO, "ended": True, "keep": False}, (), False, FLAGGED, ("before", "own")),
        ({"response": LATER, "ended": True, "keep": False}, (), False, FLAGGED, ()),
        # it keeps: the keep of before goes to the end, after this one's edits
        ({}, (INTO_A, EDIT, KEEP), True, IMPLICIT_KEEP, ("before", "own")),
        ({"actions": (EDIT, INTO_B)}, (INTO_A, EDIT, EDIT, INTO_B, KEEP), True, IMPLICIT_KEEP, ("before", "own")),
        # with a keep of its own that of before is gone
        ({"actions": (INTO_B, PLACED)}, (INTO_A, EDIT, INTO_B, PLACED), True, IMPLICIT_KEEP, ("before", "own")),
        (
            {"actions": (Action("snooze", (Store("z"),), keeps=True),)},
            (INTO_A, EDIT, Action("snooze", (Store("z"),), keeps=True)),
            True,
            IMPLICIT_KEEP,
            ("before", "own"),
        ),
        # it cancels the keep: that of before is gone
        ({"keep": False}, (INTO_A, EDIT), False, IMPLICIT_KEEP, ("before", "own")),
        (
            {"actions": (INTO_B, INTO_C), "keep": False},
            (INTO_A, EDIT, INTO_B, INTO_C),
            False,
            IMPLICIT_KEEP,
            ("before", "own"),
        ),
        # it does again what was done before
        (
            {"actions": (INTO_B, INTO_A.changing(Store, flags=("x",))), "keep": False},
            (EDIT, INTO_B, INTO_A.changing(Store, flags=("x",))),
            False,
            IMPLICIT_KEEP,
            ("before", "own"),
        ),
        (
            {"actions": (Action("fileinto", (Store("INBOX"),)),), "keep": False},
            (INTO_A, EDIT, Action("fileinto", (Store("INBOX"),))),
            False,
            IMPLICIT_KEEP,
            ("before", "own"),
        ),
    ],
)
def test_merge(
    own: dict[str, Any], actions: tuple[Action, ...], keep: bool, implicit: Action, records: tuple[str, ...]
) -> None:
    mine = Outcome(
        **own,
        records=() if "fault" in own else (Record("own", 1),),
        notes=(Note(Severity.ERROR, "own"),),
        trace=(Step(None, "own", ""),),
    )
    merged = merge(BEFORE, mine)
    assert merged.actions == actions
    assert (merged.keep, merged.implicit) == (keep, implicit)
    assert tuple(record.key for record in merged.records) == records
    assert (merged.fault, merged.response, merged.ended) == (mine.fault, mine.response, mine.ended)
    assert [note.text for note in merged.notes] == ["before", "own"]
    assert [step.what for step in merged.trace] == ["before", "own"]


def test_merge_after_a_fault() -> None:
    """The fault is that of the last script, not of an earlier one."""
    assert merge(replace(BEFORE, fault=Fault("bad")), Outcome()).fault is None
    assert merge(replace(BEFORE, fault=Fault("bad")), Outcome(fault=Fault("worse"))).fault == Fault("worse")
    assert merge(replace(BEFORE, keep=False), Outcome(fault=Fault("bad"))).keep  # RFC 5228, 2.10.6


def test_merge_with_nothing_before() -> None:
    own = Outcome(actions=(INTO_A, KEEP, EDIT), keep=False, implicit=FLAGGED)
    assert merge(UNDECIDED, own) == own


# ---- one script after another: (scripts, the actions in short)

INTO = 'require "fileinto"; fileinto'


@pytest.mark.parametrize(
    ("scripts", "actions"),
    [
        (["if false { stop; }", "if false { stop; }"], ["implicit keep"]),
        (["keep;", "if false { stop; }"], ["keep"]),
        (["if false { stop; }", "keep;"], ["keep"]),
        (["keep;", "discard;"], ["discard"]),
        (["keep;", f'{INTO} "a";'], ["fileinto a"]),
        (["keep;", "keep;"], ["keep"]),
        (["keep;", f'{INTO} "a"; keep;'], ["fileinto a", "keep"]),
        (["keep;", f'{INTO} "INBOX";'], ["fileinto INBOX"]),
        (["keep;", 'require ["copy", "fileinto"]; fileinto :copy "a";'], ["fileinto a", "keep"]),
        (['require ["copy", "fileinto"]; fileinto :copy "inbox";', "keep;"], ["fileinto inbox"]),
        (['require ["copy", "fileinto"]; fileinto :copy "inbox";', "if false { stop; }"], ["fileinto inbox"]),
        (['require ["copy", "fileinto"]; fileinto :copy "a";', "discard;"], ["fileinto a", "discard"]),
        (['require ["copy", "fileinto"]; fileinto :copy "a";', f'{INTO} "a";'], ["fileinto a"]),
        (['require ["copy", "fileinto"]; fileinto :copy "a";', "keep;"], ["fileinto a", "keep"]),
        (['require ["copy"]; redirect :copy "a@b";', "stop;"], ["redirect a@b", "implicit keep"]),
    ],
)
def test_scripts_one_after_another(sieve: Sieve, scripts: list[str], actions: list[str]) -> None:
    first, second = scripts
    before = sieve.run(first, implicit=False)
    assert before.keep
    assert sieve.actions(second, before=before) == actions


def test_a_fault_leaves_what_earlier_scripts_decided(sieve: Sieve) -> None:
    before = sieve.run('require ["copy", "fileinto"]; fileinto :copy "a"; keep;')
    redirects = "".join(f'redirect "{i}@example.com";' for i in range(5))
    assert sieve.actions(redirects, before=before) == ["fileinto a", "keep", "fault: more than 4 redirects"]


def test_limits_apply_to_all_scripts_together(sieve: Sieve) -> None:
    script = 'require "copy"; redirect :copy "a@b"; redirect :copy "c@d"; redirect :copy "e@f";'
    before = sieve.run(script, implicit=False)
    assert sieve.actions('redirect "x@y"; redirect "a@b";', before=before)[-1] == "redirect a@b"
    assert sieve.actions('redirect "x@y"; redirect "z@z";', before=before)[-1] == "fault: more than 4 redirects"


def test_the_trace_continues(sieve: Sieve) -> None:
    before = sieve.run("keep;", tracing=True)
    after = sieve.run("stop;", tracing=True, before=before)
    assert after.trace[: len(before.trace)] == before.trace
    assert len(after.trace) > len(before.trace)


def test_lines_are_cut_to_the_length_of_a_reply() -> None:
    """RFC 5321, 4.5.3.1.5: 512 octets with code and line end; a character is never cut in two."""
    found = response(550, "a" * 600 + "\n" + "é" * 600)
    first, second = found.text.split("\n")
    assert len(f"550-{found.enhanced} {first}\r\n") == 512
    assert 510 < len(f"550 {found.enhanced} {second}\r\n".encode()) <= 512
    assert len(response(451, "x\n" * 1000).text.split("\n")) == 100


@pytest.mark.parametrize("hostile", ["a\r\nb", "a\nERROR b", "\x1b[31ma", "a\0b", "a\x85b", "a\u2028b"])
def test_no_logged_field_adds_a_line(hostile: str) -> None:
    """Their constructors clean them, whoever calls them."""
    fault, note, answer = Fault(hostile), Note(Severity.WARNING, hostile), Response(550, "5.7.1", hostile, hostile)
    problem = Problem("rule", hostile, Span(0, 1), hostile)
    for text in (fault.message, note.text, answer.counter, problem.message, problem.hint, *answer.text.split("\n")):
        assert text.isprintable()
        assert len(text.splitlines()) <= 1


def test_a_script_cannot_forge_a_log_line(sieve: Sieve) -> None:
    outcome = sieve.run('require ["ec_action", "variables"]; set "s" "x\r\nERROR forged"; ec_action 550 "no" "${s}";')
    assert outcomes.response(outcome).counter == "xERROR forged"
    checked = sieve.check('require "antivirus"; if antivirus :engine "a\nERROR forged" "clean" { stop; }')
    assert "\n" not in checked.problems[0].message
