"""rule: the declaration of a lint rule, and the script as a rule sees it.

A rule is a file in sieveav/lint/rules, or in a package that another distribution names as an entry point of the group
`sieveav.rules`. Its docstring says what is reported, why, with an example, and what to write instead.

    nothing = Rule("block-empty", Severity.ADVICE, check, good=["if true { keep; }"], bad=["if true { }"])

A rule reports scripts that work but probably do not do what their author wants. What can never work is the checker's task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from sieveav.language.checking import Checked
from sieveav.language.phrases import Phrase, walk
from sieveav.language.problems import Edit, Problem, Severity, Source, Span
from sieveav.language.rules import RULE_NAME
from sieveav.language.rules import RULES as CHECKER_RULES
from sieveav.language.tokens import Comment
from sieveav.language.vocabulary import Vocabulary
from sieveav.plugins import Plugin, Plugins


class Script:
    """A script as a rule sees it. It may have errors; then the phrases are those that could be read."""

    def __init__(self, checked: Checked) -> None:
        self.checked = checked

    @property
    def source(self) -> Source:
        """Its path and text."""
        return self.checked.source

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The words available at its end, the phase it is for and what the site is called; None if it was not read."""
        return self.checked.vocabulary

    @property
    def comments(self) -> Sequence[Comment]:
        """Its comments, in order."""
        return self.checked.comments

    def phrases(self) -> Iterator[Phrase]:
        """All commands and tests, in the order of the text."""
        return walk(self.checked.phrases)

    def blocks(self) -> Iterator[Sequence[Phrase]]:
        """The commands of each block, the script itself the first."""
        yield self.checked.phrases
        yield from (phrase.block for phrase in self.phrases() if phrase.block is not None)


Check = Callable[[Script], Iterable[Problem]]


class Rule(Plugin):
    """A lint rule. `name` is made of words, the noun first (`command-unreachable`). `check` gives the problems of a script,
    each made by `problem`. `good` and `bad` are whole scripts that it accepts and reports: they document the rule, and the
    tests run them."""

    def __init__(self, name: str, severity: Severity, check: Check, *, good: Iterable[str], bad: Iterable[str]) -> None:
        self.name = name
        self.severity = severity
        self.check = check
        self.good = tuple(good)
        self.bad = tuple(bad)
        if not isinstance(name, str) or not RULE_NAME.fullmatch(name):
            raise TypeError(f"{name!r} is not the name of a rule: words in lower case, joined by -")
        if name in CHECKER_RULES:
            raise TypeError(f"the checker has a rule {name}")
        if not isinstance(severity, Severity) or not callable(check):
            raise TypeError(f"{name}: write Rule(name, severity, check, good=..., bad=...)")
        if not self.good or not self.bad or not all(isinstance(script, str) for script in self.good + self.bad):
            raise TypeError(f"{name}: write examples, good=[...] and bad=[...], each a whole script")

    def problem(self, message: str, span: Span, hint: str = "", edits: Iterable[Edit] = ()) -> Problem:
        """A problem of this rule: what is wrong, where, what to write instead, and the edits that do so."""
        return Problem(self.name, message, span, hint, self.severity, tuple(edits))


RULES = Plugins(Rule, "lint rule", "sieveav.rules", ["sieveav.lint.rules"])
"""All lint rules that are installed."""
