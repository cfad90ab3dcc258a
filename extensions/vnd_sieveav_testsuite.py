"""vnd.sieveav.testsuite: tests of policies that ask scanners, for several recipients; beside vnd.dovecot.testsuite.

    test "A virus is refused" {
        test_verdict "clamav" "infected" "Eicar-Test-Signature";
        test_run :recipient "alice@example.com" "alice.sieve";
        if not test_response :contains 550 "Eicar" { test_fail "it was accepted"; }

        test_run :recipient "carol@example.com" "carol.sieve";
        if not test_result_action "fileinto" { test_fail "it was not filed"; }
    }

test_run runs all that the site (`sieveav test --config FILE`) runs for this recipient: the engines that are not passive, the
scripts of the data phase, *before*, the script named (or else the recipient's own) and *after*. test_list makes an external
list, and test_wait lets time go by.
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
    """What is wrong with the word of a verdict."""
    words = [str(status) for status in Status]
    return "" if word in words else f"not a verdict; write one of {', '.join(words)}"


@testsuite.command("test_verdict", phases=OF_A_RECIPIENT)
class TestVerdict(Word):
    """test_verdict: what an engine says of every message from here on, with its information (such as the virus's name)."""

    engine: str
    status: str = value(valid=status_flaw)
    info: str = optional("")

    def run(self, run: Run) -> None:
        wrong = run.ask(Arrange("verdict", (self.engine, self.status, self.info)))
        if wrong:
            run.fail(wrong, self)


@testsuite.command("test_list", phases=OF_A_RECIPIENT)
class TestList(Word):
    """test_list: what the external list of this name has as its members from here on; no members, an empty list."""

    name: str = value(valid=list_flaw, hint=LIST_HINT)
    members: Strings = optional(())

    def run(self, run: Run) -> None:
        run.ask(Arrange("list", (list_key(self.name), *self.members)))


@testsuite.command("test_wait", phases=OF_A_RECIPIENT)
class TestWait(Word):
    """test_wait: from here on it is so many seconds later: what was remembered may be out of date."""

    seconds: int

    def run(self, run: Run) -> None:
        wrong = run.ask(Arrange("wait", (str(self.seconds),)))
        if wrong:
            run.fail(wrong, self)


@testsuite.command("test_context", phases=OF_A_RECIPIENT)
class TestContext(Word):
    """test_context: set a context variable of the message."""

    name: str
    text: str

    def run(self, run: Run) -> None:
        run.context.message[self.name] = self.text


@testsuite.command("test_run", phases=OF_A_RECIPIENT)
class TestRun(Word):
    """test_run: what the site decides on the current message, with the script at the path as the recipient's own. It
    becomes the present result, and its errors the present ones."""

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
    """test_response: whether the SMTP response of the present result has the code and, where a text is given, its text,
    with or without the enhanced code, matches one. What is accepted is answered 250."""

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
