"""sieve: scripts checked and run on messages, with a host that answers as the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sieveav.language import vocabulary
from sieveav.language.checking import Checked, check
from sieveav.language.extension import Extension
from sieveav.language.problems import report
from sieveav.language.program import Program
from sieveav.language.vocabulary import Vocabulary
from sieveav.limits import Limits
from sieveav.running.base import base
from sieveav.running.executing import execute
from sieveav.running.message import Message
from sieveav.running.outcome import UNDECIDED, Outcome
from sieveav.running.questions import Answers, Context, Envelope, Host, Mailbox, Question, Scan, Scanned
from sieveav.running.run import Case
from sieveav.site.library import Library
from sieveav.verdict import Verdict

HELLO = b"""From: Bob <bob@example.org>
To: Alice <alice@example.com>
Subject: Hello

Hi.
"""


class FakeHost(Host):
    """Answers what the test put in, and keeps what was asked."""

    def __init__(
        self,
        verdicts: Sequence[Verdict] = (),
        variables: Mapping[str, str] | None = None,
        mailboxes: Sequence[str] = ("INBOX",),
        answers: Answers | None = None,
    ) -> None:
        self.verdicts = verdicts
        self.variables = variables or {}
        self.mailboxes = mailboxes
        self.asked: list[Any] = []
        super().__init__({Scan: self._scanned, Mailbox: self._exists, **(answers or {})})

    def _scanned(self, question: Scan) -> Scanned:
        wanted = [name.lower() for name in question.engines or [v.engine for v in self.verdicts]]
        return Scanned(tuple(v for v in self.verdicts if v.engine.lower() in wanted), self.variables)

    def _exists(self, question: Mailbox) -> bool:
        return question.name in self.mailboxes

    def answer(self, question: Question[Any]) -> Any:
        self.asked.append(question)
        assert type(question) in self.answers, f"nothing here answers {question}"
        return super().answer(question)


CASE = {"sender", "recipient", "host", "context", "limits", "tracing"}
"""The arguments of `Sieve.run` that are for the case, the others being for the vocabulary."""


class Sieve:
    """Checks and runs scripts."""

    library: vocabulary.Library = Library()

    def check(
        self,
        script: str | bytes,
        *,
        engines: Sequence[str] = ("clamav", "yara"),
        path: str = "test.sieve",
        **vocabulary: Any,
    ) -> Checked:
        raw = script.encode() if isinstance(script, str) else script
        words = Vocabulary([base], self.library, names={"engines": engines}, **vocabulary)
        return check(raw, path, words)

    def problems(self, script: str | bytes, **vocabulary: Any) -> list[str]:
        """`rule line:column message` of each problem."""
        checked = self.check(script, **vocabulary)
        found = []
        for problem in checked.problems:
            line, column = checked.source.position(problem.span.start)
            found.append(f"{problem.rule} {line}:{column} {problem.message}")
        return found

    def places(self, script: str | bytes, **vocabulary: Any) -> list[str]:
        """`rule line:column` of each problem."""
        return [" ".join(problem.split(" ")[:2]) for problem in self.problems(script, **vocabulary)]

    def texts(self, script: str | bytes, **vocabulary: Any) -> list[str]:
        """The message and the hint of each problem, for `accepted`."""
        problems = self.check(script, **vocabulary).problems
        return [line for each in problems for line in (each.message, *([f"  = {each.hint}"] if each.hint else []))]

    def rules(self, script: str | bytes, **vocabulary: Any) -> list[str]:
        """The rule of each problem."""
        return [problem.rule for problem in self.check(script, **vocabulary).problems]

    def program(self, script: str, **vocabulary: Any) -> Program:
        """The program of a script that must check without an error."""
        checked = self.check(script, **vocabulary)
        assert checked.program is not None, "\n".join(report(checked.source, problem) for problem in checked.problems)
        return checked.program

    def case(
        self,
        message: bytes | str = HELLO,
        *,
        sender: str = "bob@example.org",
        recipient: str = "alice@example.com",
        host: Host | None = None,
        context: Context | None = None,
        limits: Limits | None = None,
        tracing: bool = False,
    ) -> Case:
        """What scripts are run on."""
        raw = message.encode() if isinstance(message, str) else message
        return Case(
            Message(raw),
            Envelope(sender, recipient),
            host or FakeHost(),
            context or Context(),
            limits or Limits(),
            tracing,
        )

    def run(
        self,
        script: str,
        message: bytes | str = HELLO,
        *,
        before: Outcome = UNDECIDED,
        implicit: bool = True,
        **more: Any,
    ) -> Outcome:
        """The outcome of a script that must check without an error, with the implicit keep unless that is not wanted."""
        of_the_case = {name: more.pop(name) for name in CASE & more.keys()}
        program = self.program(script, **more)
        outcome = execute(program, self.case(message, **of_the_case), before)
        return outcome.with_implicit_keep() if implicit else outcome

    def actions(self, script: str, message: bytes | str = HELLO, **more: Any) -> list[str]:
        """The outcome in short: `keep`, `fileinto Junk`, `redirect a@b`, `implicit keep`, `fault: ...`."""
        outcome = self.run(script, message, **more)
        found = []
        for action in outcome.actions:
            shown = action.as_json()
            what = shown.get("mailbox") or shown.get("address") or shown.get("reason") or ""
            found.append(f"{'implicit ' if action.implicit else ''}{action.name} {what}".strip())
        if outcome.fault is not None:
            found.append(f"fault: {outcome.fault.message}")
        return found

    def holds(self, test: str, message: bytes | str = HELLO, *, require: str = "", **more: Any) -> bool:
        """Whether a test holds: `if TEST { discard; }` discards."""
        return self.actions(f"{require} if {test} {{ discard; }}", message, **more) == ["discard"]


class FixedLibrary:
    """A library of the extensions that a test declares."""

    def __init__(self, extensions: Iterable[Extension]) -> None:
        self.extensions = {extension.capability: extension for extension in extensions}

    def find(self, capability: str) -> Extension | None:
        return self.extensions.get(capability)

    def later(self, capability: str) -> bool:
        return capability == "vnd.later"

    def everything(self) -> dict[str, Extension]:
        return dict(sorted(self.extensions.items()))


Install = Callable[..., Sieve]
"""The fixture `install`: put(*extensions)."""

MakeVerdict = Callable[..., Verdict]
"""The fixture `verdict`: verdict(engine, status, info)."""
