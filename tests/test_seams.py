"""Extensions that are not supported yet: each can be written in a few lines, with the public names alone.

They are not implementations, but show that the core has what the extension needs. When an extension is added, it gets tests
of its own and is removed here.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sieveav.extending import (
    OF_A_MESSAGE,
    OF_A_RECIPIENT,
    PHASES,
    Acting,
    Action,
    Block,
    Break,
    Choice,
    Environment,
    Extension,
    Fields,
    Fold,
    ForeignTag,
    HeaderValues,
    Mailbox,
    Matching,
    MatchingValues,
    Message,
    Metadata,
    Namespace,
    Now,
    Pipe,
    Ran,
    Rewrite,
    Run,
    Send,
    Service,
    Severity,
    Store,
    Strings,
    Subject,
    Use,
    Word,
    mailbox_flaw,
    names_of,
    optional,
    tag,
    value,
)
from sieveav.language import program
from sieveav.language.checking import check
from sieveav.language.problems import report
from sieveav.language.vocabulary import Vocabulary
from sieveav.running.base import base
from sieveav.running.executing import execute
from sieveav.running.outcome import Outcome
from sieveav.running.questions import Answers, Context, Envelope, Host
from sieveav.running.run import Case
from sieveav.site.library import Library

MESSAGE = b"From: bob@example.org\r\nTo: alice@example.com\r\nSubject: Hello\r\n\r\nHi.\r\n"


class FixedLibrary:
    """The extensions of a test, which take precedence over the installed ones."""

    def __init__(self, *extensions: Extension) -> None:
        self.own = {extension.capability: extension for extension in extensions}
        self.others = Library()

    def find(self, capability: str) -> Extension | None:
        return self.own.get(capability) or self.others.find(capability)

    def later(self, capability: str) -> bool:
        return self.others.later(capability)

    def everything(self) -> dict[str, Extension]:
        return {**self.others.everything(), **self.own}


def run(
    script: str,
    *extensions: Extension,
    answers: Answers | None = None,
    envelope: Envelope | None = None,
    phase: str = "each_rcpt",
    before: Outcome | None = None,
) -> Outcome:
    """The outcome of a script for MESSAGE, with the implicit keep."""
    checked = check(script.encode(), "test.sieve", Vocabulary([base], FixedLibrary(*extensions), phase=phase))
    assert checked.program is not None, [report(checked.source, problem) for problem in checked.problems]
    envelope = envelope or Envelope("bob@example.org", "alice@example.com")
    case = Case(Message(MESSAGE), envelope, Host(answers or {}), Context())
    outcome = execute(checked.program, case, before or Outcome())
    assert outcome.fault is None, outcome.fault
    return outcome.with_implicit_keep()


def summaries(outcome: Outcome) -> list[str]:
    return [action.summary() for action in outcome.actions]


def rules(script: str, *extensions: Extension, phase: str = "each_rcpt") -> list[str]:
    """The rules of the problems of a script."""
    checked = check(script.encode(), "test.sieve", Vocabulary([base], FixedLibrary(*extensions), phase=phase))
    return [problem.rule for problem in checked.problems]


# ---- environment, RFC 5183; its items are choices, so that imapsieve can add some

environment = Extension("vnd.test.environment", "stand-in")


@environment.test("environment", phases=PHASES)
class EnvironmentTest(MatchingValues):
    name: str
    keys: Strings

    def values(self, run: Run) -> tuple[str, ...]:
        item = run.ask(Environment(self.name))
        return () if item is None else (item,)


@environment.namespace("env")
class Env(Namespace):
    def value(self, run: Run, rest: str) -> str | None:
        return run.ask(Environment(rest))


def test_environment() -> None:
    known: Answers = {Environment: lambda asked: {"host": "mx.example.com"}.get(asked.item)}
    script = 'require ["vnd.test.environment", "variables", "fileinto"]; if environment "host" "mx.example.com" '
    assert summaries(run(script + '{ fileinto "${env.host}"; }', environment, answers=known)) == [
        'fileinto "mx.example.com"'
    ]
    assert summaries(run(script + "{ discard; }", environment)) == ["implicit keep"]
    early = 'require "vnd.test.environment"; if environment "host" "mx.example.com" { stop; }'
    assert rules(early, environment, phase="connect") == []


# ---- imapsieve, RFC 6785: a phase of its own, which leaves some words out


def test_the_phase_of_imap_events() -> None:
    assert rules('require "fileinto"; if header "a" "b" { fileinto "x"; } keep;', phase="imap") == []


# ---- mboxmetadata, servermetadata, RFC 5490

metadata = Extension("vnd.test.metadata", "stand-in")


@metadata.test("metadata", phases=OF_A_RECIPIENT)
class MetadataTest(MatchingValues):
    mailbox: str = value(valid=mailbox_flaw)
    annotation: str
    keys: Strings

    def values(self, run: Run) -> tuple[str, ...]:
        text = run.ask(Metadata(self.mailbox, self.annotation))
        return () if text is None else (text,)


def test_metadata() -> None:
    known: Answers = {
        Metadata: lambda asked: "yes" if (asked.mailbox, asked.annotation) == ("A", "/private/x") else None
    }
    script = 'require "vnd.test.metadata"; if metadata "A" "/private/x" "yes" { discard; }'
    assert summaries(run(script, metadata, answers=known)) == ["discard"]
    assert summaries(run(script, metadata)) == ["implicit keep"]


# ---- special-use, RFC 8579; mailboxid, RFC 9042

special_use = Extension("vnd.test.special-use", "stand-in")


@special_use.tag(":specialuse", on=["fileinto", ":fcc"])
class SpecialUse(ForeignTag):
    attribute: str

    def amend(self, action: Action) -> Action:
        return action.changing(Store, special_use=self.attribute)


@special_use.tag(":mailboxid", on=["fileinto"])
class MailboxId(ForeignTag):
    identifier: str

    def check(self, use: Use) -> None:
        if ":specialuse" in use.tags:
            use.complain(self.span, ":mailboxid excludes :specialuse", rule="tag-conflict")

    def amend(self, action: Action) -> Action:
        return action.changing(Store, mailbox_id=self.identifier)


@special_use.test("specialuse_exists", phases=OF_A_RECIPIENT)
class SpecialUseExists(Word):
    mailbox: str = optional("")
    attributes: Strings

    def holds(self, run: Run) -> bool:
        return all(run.ask(Mailbox(self.mailbox, special_use=attribute)) for attribute in self.attributes)


def test_special_use_and_mailboxid() -> None:
    require = 'require ["vnd.test.special-use", "fileinto"];'
    (action,) = run(f'{require} fileinto :specialuse "\\\\Junk" "Spam";', special_use).actions
    assert action.as_json()["special_use"] == "\\Junk"
    (action,) = run(f'{require} fileinto :mailboxid "F123" "Spam";', special_use).actions
    assert action.as_json()["mailbox_id"] == "F123"
    both = f'{require} fileinto :mailboxid "F123" "Spam"; fileinto "Spam";'
    assert len(run(both, special_use).actions) == 2  # two mailboxes, by their ids
    assert rules(f'{require} fileinto :specialuse "\\\\Junk" :mailboxid "F" "x";', special_use) == ["tag-conflict"]
    asked: list[Mailbox] = []

    def has(question: Mailbox) -> bool:
        asked.append(question)
        return question.special_use == "\\Junk"

    known: Answers = {Mailbox: has}
    script = f'{require} if specialuse_exists ["\\\\Junk", "\\\\Sent"] {{ discard; }}'
    assert summaries(run(script, special_use, answers=known)) == ["implicit keep"]
    assert [question.special_use for question in asked] == ["\\Junk", "\\Sent"]


# ---- redirect-dsn, redirect-deliverby, envelope-dsn, envelope-deliverby, RFC 6009

dsn = Extension("vnd.test.dsn", "stand-in")


@dsn.tag(":notify", on=["redirect"])
class Notify(ForeignTag):
    when: str

    def amend(self, action: Action) -> Action:
        return action.changing(Send, parameters=(("NOTIFY", self.when),))


@dsn.choice("envelope_part", "notify")
class NotifyPart(Choice):
    phases = OF_A_RECIPIENT

    @staticmethod
    def values(run: Run, part: object) -> list[str]:  # noqa: ARG004
        return [text for name, text in run.envelope.recipient_parameters if name == "NOTIFY"]


def test_dsn() -> None:
    script = 'require ["vnd.test.dsn", "envelope"]; redirect :notify "NEVER" "a@example.net";'
    (action,) = run(script, dsn).actions
    assert action.as_json()["parameters"] == {"NOTIFY": "NEVER"}
    envelope = Envelope("bob@example.org", "alice@example.com", recipient_parameters=(("NOTIFY", "SUCCESS"),))
    script = 'require ["vnd.test.dsn", "envelope"]; if envelope "notify" "SUCCESS" { discard; }'
    assert summaries(run(script, dsn, envelope=envelope)) == ["discard"]


# ---- snooze, draft-ietf-extra-sieve-snooze; vnd.proton.expire

snooze = Extension("vnd.test.snooze", "stand-in")


@snooze.action("snooze")
class Snooze(Acting):
    mailbox: str = tag(":mailbox", "", valid=mailbox_flaw)
    times: Strings

    def make_action(self) -> Action:
        return Action("snooze", (Store(self.mailbox or None, until=(("times", self.times),)),))


class Expiry:
    """The argument of the last command `expire`."""

    days = 0

    def amend(self, action: Action) -> Action:
        return action.changing(Store, expire=f"{self.days}d") if self.days else action


@snooze.command("expire", phases=OF_A_RECIPIENT)
class Expire(Word):
    days: int

    def run(self, run: Run) -> None:
        run.memory(Expiry).days = self.days


@snooze.amends(on=["keep", "fileinto"])
def expiring(run: Run) -> Expiry:
    return run.memory(Expiry)


def test_snooze_and_expire() -> None:
    outcome = run('require "vnd.test.snooze"; snooze "12:00";', snooze)
    (action,) = outcome.actions
    assert action.as_json()["until"] == {"times": ["12:00"]}
    assert not outcome.keep  # a snoozed message is stored: the next script does not run
    outcome = run('require ["vnd.test.snooze", "fileinto"]; expire 3; fileinto "x"; keep;', snooze)
    assert [action.as_json()["expire"] for action in outcome.actions] == ["3d", "3d"]
    assert run('require "vnd.test.snooze"; expire 3;', snooze).actions[0].as_json()["expire"] == "3d"


# ---- vnd.dovecot.pipe, .filter, .execute

programs = Extension("vnd.test.programs", "stand-in")


@programs.action("pipe", like=["redirect"])  # it takes :copy
class PipeCommand(Acting):
    program: str
    arguments: Strings = optional(())

    def make_action(self) -> Action:
        return Action("pipe", (Pipe(self.program, self.arguments),))


@programs.test("filter")
@programs.action("filter")
class Filter(Word):
    program: str

    def holds(self, run: Run) -> bool:
        ran = run.ask(Ran(self.program, input=run.message.raw))
        if ran is None or ran[0]:
            return False
        run.edit(self, "filter", Rewrite(ran[1]))
        return True

    def run(self, run: Run) -> None:
        self.holds(run)


def test_programs() -> None:
    script = 'require ["vnd.test.programs", "copy"]; pipe :copy "spamc" ["-d"];'
    assert summaries(run(script, programs)) == ["pipe spamc -d", "implicit keep"]
    upper: Answers = {Ran: lambda asked: (0, asked.input.upper())}
    script = (
        'require "vnd.test.programs"; if filter "upper" { if header :comparator "i;octet" "subject" "HELLO" { keep; } }'
    )
    assert [action.name for action in run(script, programs, answers=upper).actions] == ["filter", "keep"]
    assert summaries(run(script, programs)) == ["implicit keep"]


# ---- convert, processcalendar, vnd.cyrus.imip, .jmapquery: a service of the site

convert = Extension("vnd.test.convert", "stand-in")


@convert.test("convert")
class Convert(Word):
    wanted: str

    def holds(self, run: Run) -> bool:
        answer = run.ask(Service("convert", (("to", self.wanted),)))
        if answer is None:
            return False
        run.edit(self, "convert", Rewrite(answer["message"].encode()))
        return True


def test_services() -> None:
    answers: Answers = {Service: lambda asked: {"message": f"Subject: {dict(asked.request)['to']}\r\n\r\n"}}
    script = 'require "vnd.test.convert"; if convert "png" { if header "subject" "png" { discard; } }'
    assert [action.name for action in run(script, convert, answers=answers).actions] == ["convert", "discard"]
    assert summaries(run(script, convert)) == ["implicit keep"]


# ---- vnd.dovecot.debug, vnd.cyrus.log

logs = Extension("vnd.test.log", "stand-in")


@logs.command("debug_log")
class DebugLog(Word):
    text: str

    def run(self, run: Run) -> None:
        run.log(Severity.ADVICE, self.text, self)


def test_logs() -> None:
    (note,) = run('require "vnd.test.log";\ndebug_log "one\r\ntwo";', logs).notes
    assert (note.severity, note.text, str(note.place)) == ("advice", "one  two", "test.sieve:2")


# ---- vnd.cyrus.implicit_keep_target

target = Extension("vnd.test.target", "stand-in")


@target.command("implicit_keep_target", phases=OF_A_RECIPIENT)
class ImplicitKeepTarget(Word):
    mailbox: str = value(valid=mailbox_flaw)

    def run(self, run: Run) -> None:
        run.implicit = run.implicit.changing(Store, mailbox=self.mailbox)


def test_the_target_of_the_implicit_keep() -> None:
    first = run('require "vnd.test.target"; implicit_keep_target "Later"; if false { stop; }', target)
    assert summaries(first) == ['implicit keep "Later"']
    assert first.keep
    assert summaries(run('require "vnd.test.target"; implicit_keep_target "Later"; keep;', target)) == ["keep"]


# ---- vnd.stalwart.while, .expressions

loops = Extension("vnd.test.while", "stand-in")


@loops.command("while", phases=OF_A_MESSAGE)
class While(Word):
    test: program.Test
    block: Block
    breaks = True
    name = ""

    def run(self, run: Run) -> None:
        with run.leaving(self):
            while self.test.holds(run):
                run.spend(1)
                self.block.run(run)


loops.command("break", phases=OF_A_MESSAGE)(Break)


@loops.command("let")
class Let(Word):
    name: str
    plus: str

    def run(self, run: Run) -> None:
        run.variables[self.name] = str(int(run.variables[self.name] or 0) + int(self.plus))


def test_loops() -> None:
    require = 'require ["vnd.test.while", "variables", "fileinto", "foreverypart"];'
    counting = f'{require} while not string "${{n}}" "3" {{ let "n" "1"; fileinto "${{n}}"; }}'
    assert summaries(run(counting, loops)) == ['fileinto "1"', 'fileinto "2"', 'fileinto "3"']
    # one `break` for the loops of both extensions, and no complaint that both bring it
    leaving = (
        f'{require} foreverypart {{ while true {{ fileinto "in"; break; }} fileinto "out"; break; fileinto "no"; }}'
    )
    assert summaries(run(leaving, loops)) == ['fileinto "in"', 'fileinto "out"']
    assert rules(f"{require} break;", loops) == ["break-outside"]


def test_a_loop_without_end_ends_at_a_limit() -> None:
    script = b'require "vnd.test.while";\nwhile true { }\n'
    checked = check(script, "test.sieve", Vocabulary([base], FixedLibrary(loops)))
    assert checked.program is not None
    outcome = execute(checked.program, Case(Message(MESSAGE), Envelope(), Host({}), Context()))
    assert outcome.fault is not None
    assert outcome.fault.message == "step limit exceeded (1000000)"
    assert str(outcome.fault.place) == "test.sieve:2"


# ---- obsolete ones; x-cyrus-*

obsolete = Extension("vnd.test.imapflags", "stand-in", successor="imap4flags")
alias = Extension("vnd.test.alias", "stand-in", implies=["imap4flags", "relational"])


@obsolete.action("addflag", phases=OF_A_MESSAGE)
class OldAddflag(Word):
    flags: Strings

    def run(self, run: Run) -> None:
        raise NotImplementedError


def test_obsolete_ones_and_aliases() -> None:
    assert rules('require "vnd.test.imapflags";', obsolete) == ["require-obsolete"]
    assert "word-ambiguous" in rules('require ["imap4flags", "vnd.test.imapflags"];', obsolete)
    assert rules('require "vnd.test.alias"; addflag "x"; if header :count "eq" "a" "0" { stop; }', alias)[1:] == []


# ---- extracttext, RFC 5703: a word that takes the modifiers of set

extracttext = Extension("vnd.test.extracttext", "stand-in")


@extracttext.action("extracttext", like=["set"], phases=OF_A_MESSAGE)
class ExtractText(Word):
    name: str

    def run(self, run: Run) -> None:
        text = "body text"
        for modifier in self.tags:
            text = modifier.amend(text)
        run.variables[self.name] = text


def test_extracttext() -> None:
    script = 'require ["vnd.test.extracttext", "variables", "fileinto"]; extracttext :upper "t"; fileinto "${t}";'
    assert summaries(run(script, extracttext)) == ['fileinto "BODY TEXT"']


# ---- a date: a subject of its own, with :index and :last of another extension

dates = Extension("vnd.test.date", "stand-in")


@dates.test("dated", like=["date"])
class Dated(Matching):
    names: Strings
    keys: Strings

    def subject_for(self, fold: Fold) -> Subject:
        return HeaderValues(Fields(names_of(self.names)), fold)


def test_a_test_like_another_takes_its_tags() -> None:
    script = 'require ["vnd.test.date", "index"]; if dated :index 1 :last "subject" "hello" { discard; }'
    assert summaries(run(script, dates)) == ["discard"]


def test_the_time_comes_from_the_host() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    clock = Extension("vnd.test.clock", "stand-in")

    @clock.test("year")
    class Year(Word):
        year: int

        def holds(self, run: Run) -> bool:
            return run.ask(Now()).year == self.year

    known: Answers = {Now: lambda _: now}
    script = 'require "vnd.test.clock"; if year 2026 { discard; }'
    assert summaries(run(script, clock, answers=known)) == ["discard"]
    assert summaries(run(script, clock)) == ["implicit keep"]
