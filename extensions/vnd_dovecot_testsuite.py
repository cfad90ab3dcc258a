"""vnd.dovecot.testsuite: tests of scripts, written in Sieve (the test language of Dovecot's Pigeonhole).

    require ["vnd.dovecot.testsuite", "relational"];

    test_set "message" "Subject: offer

    Buy!
    ";

    test "Offers are discarded" {
        if not test_script_compile "offers.sieve" { test_fail "it does not compile"; }
        if not test_script_run { test_fail "it does not run"; }
        if not test_result_action "discard" { test_fail "it was kept"; }
    }

`sieveav test` runs the file. A test passes if its end is reached; `test_fail` or a run-time error fails it. Paths are
relative to the test file; included scripts are in the folders `included` and `included-global` beside it. Messages are
stored and sent to mailboxes and an outbox in memory, which `test_message` reads.

Over 400 lines, because it is a whole language: each word is short, and they share the state of the test being run.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from functools import partial

from sieveav.extending import (
    OF_A_RECIPIENT,
    Arrange,
    Block,
    Checked,
    Choice,
    Delivered,
    Envelope,
    Extension,
    Fault,
    MatchingValues,
    Message,
    Namespace,
    Rehearsed,
    Run,
    Script,
    Severity,
    Span,
    Strings,
    Tested,
    Use,
    Wanted,
    Word,
    choice,
    derived,
    mailbox_flaw,
    parse_mailboxes,
    run_scripts,
    tag,
    unfold,
    value,
)

testsuite = Extension("vnd.dovecot.testsuite", "Pigeonhole's test language")
testsuite.rule("test-nested", "a test is not at the top level of the file")


# ---- tests


class Current:
    """The test being run, and why it has failed."""

    test: Test | None = None
    failure: Fault | None = None


@testsuite.command("test", phases=OF_A_RECIPIENT)
class Test(Word):
    """test: one test, which passes if the end of its block is reached. Only at the top level of a file."""

    name: str
    block: Block

    def check(self, use: Use) -> None:
        use.constants("name")
        if use.enclosing:
            use.complain(None, "test is allowed only at the top level", rule="test-nested")

    def run(self, run: Run) -> None:
        if not run.ask(Wanted(self.name)):
            return
        current = run.memory(Current)
        current.test, current.failure = self, None
        with run.leaving(self):
            fault = run.attempt(self.block)
            if fault is not None:
                current.failure = Fault(f"run-time error: {fault.message}", fault.place)
        current.test = None
        run.ask(Tested(self.name, self.place, current.failure))


@testsuite.command("test_fail", phases=OF_A_RECIPIENT)
class TestFail(Word):
    """test_fail: fail the test for this reason and go on with the next one. Outside a test, fail the whole file."""

    reason: str

    def run(self, run: Run) -> None:
        current = run.memory(Current)
        if current.test is None:
            run.fail(self.reason, self)
        current.failure = Fault(self.reason, self.place)
        run.leave(current.test)


# ---- the message and its envelope


def _first(message: Message, names: Sequence[str], otherwise: str) -> str:
    """The first address in the fields `names`, "" for "<>", `otherwise` if there is none."""
    for name in names:
        for text in message.fields.get(name, ()):
            if unfold(text) == "<>":
                return ""
            for address in parse_mailboxes(unfold(text)):
                if address.local is not None:
                    return address.text
    return otherwise


def derived_envelope(message: Message) -> Envelope:
    """The envelope of a message that came without one."""
    recipient = _first(message, ("envelope-to", "to"), "recipient@example.com")
    return Envelope(_first(message, ("return-path", "sender", "from"), "sender@example.com"), recipient, recipient)


def take_message(run: Run, message: Message, envelope: Envelope | None) -> None:
    """Make `message` the current one for the words that follow."""
    run.memory(Rehearsed).message = run.message = message
    if envelope is not None:
        run.envelope = envelope


def _with(envelope: Envelope, **changes: str) -> Envelope:
    fields = {name: getattr(envelope, name) for name in ("sender", "recipient", "orig_to", "auth")}
    return Envelope(**{**fields, **changes})


_SET = {
    "message": lambda run, text: take_message(
        run, message := Message(text.encode("utf-8", "surrogateescape")), derived_envelope(message)
    ),
    "envelope.from": lambda run, text: setattr(run, "envelope", _with(run.envelope, sender=text)),
    "envelope.to": lambda run, text: setattr(run, "envelope", _with(run.envelope, recipient=text, orig_to=text)),
    "envelope.orig_to": lambda run, text: setattr(run, "envelope", _with(run.envelope, orig_to=text)),
    "envelope.auth": lambda run, text: setattr(run, "envelope", _with(run.envelope, auth=text)),
}
"""Name -> what `test_set` does."""


def object_flaw(name: str) -> str:
    """What is wrong with the name in `test_set`."""
    return "" if name in _SET else f"unknown object; write one of {', '.join(_SET)}"


@testsuite.command("test_set", phases=OF_A_RECIPIENT)
class TestSet(Word):
    """test_set: set "message", "envelope.from", "envelope.to", "envelope.orig_to" or "envelope.auth". Setting the message
    also sets the envelope from its header; "envelope.to" also sets "envelope.orig_to"."""

    name: str = value(valid=object_flaw)
    text: str

    def run(self, run: Run) -> None:
        _SET[self.name](run, self.text)


class MessageSource(Choice):
    """Where a message is taken from: a mailbox, or with None the outbox."""

    mailbox: str | None = derived(None)


@testsuite.choice("test_message_source", ":smtp")
class Smtp(MessageSource):
    """:smtp: the sent messages, in order."""


@testsuite.choice("test_message_source", ":folder")
class Folder(MessageSource):
    """:folder: the messages in a mailbox, in order."""

    mailbox: str = value(valid=mailbox_flaw)


@testsuite.test("test_message", phases=OF_A_RECIPIENT)
@testsuite.command("test_message", phases=OF_A_RECIPIENT)
class TestMessage(Word):
    """test_message: make the sent or stored message with this number, from 0, the current one. As a test: whether it exists.
    As a command: if it does not exist, the test fails."""

    source: MessageSource = choice("test_message_source", None)
    number: int

    def check(self, use: Use) -> None:
        if not use.has("source"):
            use.complain(None, 'test_message needs :smtp or :folder "mailbox"', rule="tag-missing")

    def holds(self, run: Run) -> bool:
        delivered = run.ask(Delivered(self.source.mailbox, self.number))
        if delivered is None:
            return False
        raw, envelope = delivered
        take_message(run, Message(raw), envelope)
        return True

    def run(self, run: Run) -> None:
        if not self.holds(run):
            mailbox = self.source.mailbox
            where = "was sent" if mailbox is None else f'is in the mailbox "{mailbox}"'
            run.fail(f"no message {self.number} {where}", self)


# ---- scripts


def compiled(run: Run, path: str) -> Checked | None:
    """The script at `path`, None if it is invalid. Its errors, and those of the scripts it includes, become the current
    errors."""
    rehearsed = run.memory(Rehearsed)
    errors: list[str] = []
    checked = run.ask(Script(path, "file"))
    if checked is None:
        errors = [f'script "{path}" does not exist']
    else:
        _gather(run, checked, errors, set())
    if errors:
        errors.append("compilation failed")  # as in Pigeonhole, whose tests count the errors
        rehearsed.errors = tuple(errors)
        return None
    rehearsed.errors = ()
    return checked


def _gather(run: Run, checked: Checked, errors: list[str], seen: set[tuple[str, str]]) -> None:
    """The errors of a script and of those that it includes by constant names."""
    errors += [problem.message for problem in checked.problems if problem.severity is Severity.ERROR]
    for mention in checked.program.mentions if checked.program is not None else ():
        key = (mention.location, mention.name)
        if mention.kind not in ("script", "optional script") or key in seen:
            continue
        seen.add(key)
        included = run.ask(Script(mention.name, mention.location))
        if included is not None:
            _gather(run, included, errors, seen)
        elif mention.kind == "script":
            errors.append(f'{mention.place}: {mention.location} script "{mention.name}" does not exist')


@testsuite.test("test_script_compile", phases=OF_A_RECIPIENT)
class TestScriptCompile(Word):
    """test_script_compile: compile the script at the path for test_script_run; whether it is valid."""

    path: str

    def holds(self, run: Run) -> bool:
        run.memory(Rehearsed).checked = checked = compiled(run, self.path)
        return checked is not None


@testsuite.test("test_script_run", phases=OF_A_RECIPIENT)
class TestScriptRun(Word):
    """test_script_run: run the compiled script on the current message; whether it ends without an error. Its result
    replaces the current result; with :append_result it is added."""

    append: bool = tag(":append_result")

    def holds(self, run: Run) -> bool:
        rehearsed = run.memory(Rehearsed)
        if rehearsed.checked is None or rehearsed.checked.program is None:
            run.fail("no script was compiled", self)
        before = rehearsed.outcome
        if not self.append:
            rehearsed.begin(run)
            before = rehearsed.outcome
        outcome = run.execute(rehearsed.checked.program, before)
        rehearsed.outcome = outcome
        rehearsed.learn(outcome.notes[len(before.notes) :])
        return outcome.fault is None


@testsuite.test("test_multiscript", phases=OF_A_RECIPIENT)
class TestMultiscript(Word):
    """test_multiscript: compile the scripts and run them in sequence, like the scripts of a site and a user; whether all end
    without an error."""

    paths: Strings

    def holds(self, run: Run) -> bool:
        rehearsed = run.memory(Rehearsed)
        scripts = [compiled(run, path) for path in self.paths]
        programs = [checked.program for checked in scripts if checked is not None and checked.program is not None]
        if len(programs) < len(scripts):
            return False
        rehearsed.begin(run)
        outcome = run_scripts(partial(run.execute, program) for program in programs)
        rehearsed.outcome = outcome
        rehearsed.learn(outcome.notes)
        return outcome.fault is None


class Binaries(dict[str, "Checked | None"]):
    """The saved compiled scripts, by name."""


@testsuite.command("test_binary_save", phases=OF_A_RECIPIENT)
class TestBinarySave(Word):
    """test_binary_save: save the compiled script under a name, until the end of the file."""

    name: str

    def run(self, run: Run) -> None:
        run.memory(Binaries)[self.name] = run.memory(Rehearsed).checked


@testsuite.command("test_binary_load", phases=OF_A_RECIPIENT)
class TestBinaryLoad(Word):
    """test_binary_load: load a saved compiled script."""

    name: str

    def run(self, run: Run) -> None:
        binaries = run.memory(Binaries)
        if self.name not in binaries:
            run.fail(f'no script was saved as "{self.name}"', self)
        run.memory(Rehearsed).checked = binaries[self.name]


# ---- results


class _Numbered(MatchingValues):
    """A test of texts in order; with :index, of only one of them, counted from 1."""

    index: int = tag(":index", 0)
    keys: Strings

    def texts(self, run: Run) -> Sequence[Sequence[str]]:
        """The things tested, each with all its names."""
        raise NotImplementedError

    def _chosen(self, run: Run) -> Sequence[Sequence[str]]:
        texts = self.texts(run)
        return texts[self.index - 1 : self.index] if self.index else texts

    def values(self, run: Run) -> Sequence[str]:
        return [name for names in self._chosen(run) for name in names]

    def counted(self, run: Run) -> Sequence[str]:
        return [names[0] for names in self._chosen(run)]


@testsuite.test("test_error", phases=OF_A_RECIPIENT)
class TestError(_Numbered):
    """test_error: whether an error of the last compile, run or execution matches a key."""

    keys: Strings

    def texts(self, run: Run) -> Sequence[Sequence[str]]:
        return [(error,) for error in run.memory(Rehearsed).errors]


_ALSO = {"fileinto": "store", "ereject": "reject"}
"""Action -> its other name, in Pigeonhole's tests."""


@testsuite.test("test_result_action", phases=OF_A_RECIPIENT)
class TestResultAction(_Numbered):
    """test_result_action: whether the name of an action in the current result, including the implicit keep, matches a key.
    A fileinto is also called "store", an ereject "reject"."""

    keys: Strings

    def texts(self, run: Run) -> Sequence[Sequence[str]]:
        names = [action.name for action in run.memory(Rehearsed).actions(run)]
        return [(name, _ALSO[name]) if name in _ALSO else (name,) for name in names]


@testsuite.test("test_result_execute", phases=OF_A_RECIPIENT)
class TestResultExecute(Word):
    """test_result_execute: carry out the current result; whether all actions succeed."""

    def holds(self, run: Run) -> bool:
        return run.memory(Rehearsed).carry_out(run)


@testsuite.command("test_result_reset", phases=OF_A_RECIPIENT)
class TestResultReset(Word):
    """test_result_reset: clear the current result, the outbox and the memory of vacation and duplicate."""

    def run(self, run: Run) -> None:
        run.memory(Rehearsed).begin(run)
        run.ask(Arrange("outbox"))


@testsuite.command("test_result_print", phases=OF_A_RECIPIENT)
class TestResultPrint(Word):
    """test_result_print: log the current result."""

    def run(self, run: Run) -> None:
        for action in run.memory(Rehearsed).actions(run):
            run.log(Severity.ADVICE, action.summary(), self)


# ---- mailboxes, metadata and settings


def _arrange(run: Run, word: Word, what: str, *values: str) -> None:
    """Change the environment of the test; a failure is a run-time error."""
    flaw = run.ask(Arrange(what, values))
    if flaw:
        run.fail(flaw, word)


@testsuite.command("test_mailbox_create", phases=OF_A_RECIPIENT)
class TestMailboxCreate(Word):
    """test_mailbox_create: create a mailbox."""

    mailbox: str = value(valid=mailbox_flaw)

    def run(self, run: Run) -> None:
        _arrange(run, self, "mailbox", self.mailbox)


@testsuite.command("test_imap_metadata_set", phases=OF_A_RECIPIENT)
class TestImapMetadataSet(Word):
    """test_imap_metadata_set: set an annotation of a mailbox; without :mailbox, of the server. The annotation
    "/private/specialuse" has the special-use attributes of the mailbox, separated by spaces (RFC 6154, 4)."""

    mailbox: str = tag(":mailbox", "")
    annotation: str
    text: str

    def run(self, run: Run) -> None:
        _arrange(run, self, "metadata", self.mailbox, self.annotation, self.text)


_SETTINGS = {
    "recipient_delimiter": ("subaddress", "recipient_delimiter"),
    "sieve_duplicate_default_period": ("duplicate", "default_period"),
    "sieve_duplicate_max_period": ("duplicate", "max_period"),
    "sieve_editheader_forbid_add": ("editheader", "forbid_add"),
    "sieve_editheader_forbid_delete": ("editheader", "forbid_delete"),
    "sieve_editheader_max_header_size": ("editheader", "max_header_size"),
    "sieve_editheader_protected": ("editheader", "protected"),
    "sieve_include_max_includes": ("include", "max_includes"),
    "sieve_include_max_nesting_depth": ("include", "max_nesting_depth"),
    "sieve_max_actions": ("limits", "actions"),
    "sieve_max_redirects": ("limits", "redirects"),
    "sieve_max_cpu_time": ("limits", "wall_clock"),
    "sieve_redirect_envelope_from": ("delivery", "redirect_envelope_from"),
    "sieve_user_email": ("delivery", "user_email"),
    "sieve_vacation_default_period": ("vacation", "default_period"),
    "sieve_vacation_dont_check_recipient": ("vacation", "dont_check_recipient"),
    "sieve_vacation_max_period": ("vacation", "max_period"),
    "sieve_vacation_min_period": ("vacation", "min_period"),
    "sieve_vacation_send_from_recipient": ("vacation", "send_from_recipient"),
    "sieve_vacation_use_original_recipient": ("vacation", "use_original_recipient"),
    **{
        f"sieve_{name}_{key}": (name, key)
        for name in ("spamtest", "virustest")
        for key in ("status_header", "status_type", "max_value", "max_header")
    },
}
"""Pigeonhole's name of a setting -> ours: the extension ("limits" and "delivery" are groups of the core) and the name."""

_TEXT_VALUES = ("sieve_spamtest_text_value", "sieve_virustest_text_value")
"""Keys with a number, `KEY0` ... `KEY10`: each sets one item of the setting `text_values`."""


def setting_of(key: str) -> tuple[str, str, str] | None:
    """What a key sets: the extension, the name, and the number of an item of a list ("": none). None: unknown key."""
    if key in _SETTINGS:
        return (*_SETTINGS[key], "")
    for prefix in _TEXT_VALUES:
        number = key.removeprefix(prefix)
        if number != key and number.isascii() and number.isdigit():
            return (prefix.split("_")[1], "text_values", number)
    return None


def key_flaw(key: str) -> str:
    """What is wrong with the key of a setting."""
    return "" if setting_of(key) is not None else "unknown configuration key"


@testsuite.command("test_config_set", phases=OF_A_RECIPIENT)
class TestConfigSet(Word):
    """test_config_set: change a setting, by its name in Pigeonhole; it takes effect with test_config_reload."""

    key: str = value(valid=key_flaw)
    text: str

    def run(self, run: Run) -> None:
        setting = setting_of(self.key)
        assert setting is not None  # key_flaw has checked it  # noqa: S101
        _arrange(run, self, "setting", *setting, self.text)


@testsuite.command("test_config_unset", phases=OF_A_RECIPIENT)
class TestConfigUnset(Word):
    """test_config_unset: reset a setting to its default; it takes effect with test_config_reload."""

    key: str = value(valid=key_flaw)

    def run(self, run: Run) -> None:
        setting = setting_of(self.key)
        assert setting is not None  # key_flaw has checked it  # noqa: S101
        _arrange(run, self, "setting", *setting)


@testsuite.command("test_config_reload", phases=OF_A_RECIPIENT)
class TestConfigReload(Word):
    """test_config_reload: the changed settings take effect; with :extension, only those of one extension."""

    extension: str = tag(":extension", "")

    def run(self, run: Run) -> None:
        _arrange(run, self, "reload", *([self.extension] if self.extension else []))
        run.message = Message(run.message.raw)  # its cached answers may depend on settings


@testsuite.namespace("tst")
class InTest(Namespace):
    """`${tst.path}`: the folder of the test file."""

    def check(self, rest: str, use: Use, span: Span) -> None:
        if rest != "path":
            use.complain(span, f'unknown variable "tst.{rest[:60]}"', "write ${tst.path}", rule="variable-name")

    def value(self, run: Run, rest: str) -> str:  # noqa: ARG002
        return posixpath.dirname(run.program.source.path)
