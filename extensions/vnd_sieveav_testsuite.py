"""vnd.sieveav.testsuite: tests of site policies: engines, recipients, responses (with vnd.dovecot.testsuite).

    test "A virus is refused" {
        test_verdict "clamav" "infected" "Eicar-Test-Signature";
        test_run :recipient "alice@example.com" "alice.sieve";
        if not test_response :contains 550 "Eicar" { test_fail "it was accepted"; }

        test_run :recipient "carol@example.com" "carol.sieve";
        if not test_result_action "fileinto" { test_fail "it was not filed"; }
    }

test_run runs everything that the site (`sieveav test --config FILE`) runs for this recipient: the engines that are not
passive, the scripts of the data phase, *before*, the given script (by default the recipient's own) and *after*. test_list
creates an external list; test_wait moves the clock forward.
"""

from __future__ import annotations

from collections.abc import Sequence

from sieveav.extending import (
    LIST_HINT,
    OF_A_RECIPIENT,
    Arrange,
    Decided,
    Extension,
    MatchingValues,
    Rehearsed,
    Run,
    Status,
    Strings,
    Word,
    address_flaw,
    list_flaw,
    list_key,
    optional,
    tag,
    value,
)

testsuite = Extension("vnd.sieveav.testsuite", "sieveav")


def status_flaw(word: str) -> str:
    """What is wrong with a verdict status."""
    return "" if word in list(Status) else f"not a verdict status; write one of {', '.join(Status)}"


@testsuite.command("test_verdict", phases=OF_A_RECIPIENT)
class TestVerdict(Word):
    """test_verdict: set the status that an engine reports from here on, and its information, such as a virus name."""

    engine: str
    status: str = value(valid=status_flaw)
    info: str = optional("")

    def run(self, run: Run) -> None:
        flaw = run.ask(Arrange("verdict", (self.engine, self.status, self.info)))
        if flaw:
            run.fail(flaw, self)


@testsuite.command("test_list", phases=OF_A_RECIPIENT)
class TestList(Word):
    """test_list: set the members of the external list with this name; without members, it is empty."""

    name: str = value(valid=list_flaw, hint=LIST_HINT)
    members: Strings = optional(())

    def run(self, run: Run) -> None:
        run.ask(Arrange("list", (list_key(self.name), *self.members)))


@testsuite.command("test_wait", phases=OF_A_RECIPIENT)
class TestWait(Word):
    """test_wait: move the clock forward by some seconds, so that remembered things expire."""

    seconds: int

    def run(self, run: Run) -> None:
        flaw = run.ask(Arrange("wait", (str(self.seconds),)))
        if flaw:
            run.fail(flaw, self)


@testsuite.command("test_context", phases=OF_A_RECIPIENT)
class TestContext(Word):
    """test_context: set a context variable of the message."""

    name: str
    text: str

    def run(self, run: Run) -> None:
        run.context.message[self.name] = self.text


@testsuite.command("test_run", phases=OF_A_RECIPIENT)
class TestRun(Word):
    """test_run: let the site decide on the current message, with the script at the path as the recipient's own. The
    decision becomes the current result, its errors the current errors."""

    recipient: str = tag(":recipient", "", valid=address_flaw)
    script: str = optional("")

    def run(self, run: Run) -> None:
        rehearsed = run.memory(Rehearsed)
        rehearsed.begin(run)
        envelope = run.envelope
        if self.recipient:
            envelope = type(envelope)(envelope.sender, self.recipient, self.recipient, envelope.auth)
        decided = run.ask(Decided(self.script, run.message, envelope, run.context))
        if isinstance(decided, str):
            run.fail(decided, self)
        rehearsed.outcome = decided
        rehearsed.learn(decided.notes)


@testsuite.test("test_response", phases=OF_A_RECIPIENT)
class TestResponse(MatchingValues):
    """test_response: whether the SMTP response of the current result has this code and, if keys are given, its text matches
    one, with or without the enhanced status code. The response to accepted messages is 250."""

    code: int
    keys: Strings = optional(())

    def values(self, run: Run) -> Sequence[str]:
        response = run.memory(Rehearsed).result(run).answer
        if response is None:
            return ("", "2.0.0")
        return (response.text, f"{response.enhanced} {response.text}")

    def holds(self, run: Run) -> bool:
        response = run.memory(Rehearsed).result(run).answer
        code = 250 if response is None else response.code
        return code == self.code and (not self.keys or super().holds(run))
