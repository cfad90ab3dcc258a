"""linting: a checked script to all its problems: the checker's, and those of every lint rule that is installed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from sieveav.language.checking import Checked
from sieveav.language.problems import Problem, Span
from sieveav.lint.rule import RULES, Rule, Script

_log = logging.getLogger(__name__)

RULE_FAILED = "rule-failed"
"""The rule of the problem that a lint rule raised an exception."""


def findings(checked: Checked, rules: Iterable[Rule] | None = None) -> list[Problem]:
    """All problems of a script, in order of place; by the rules that are installed, unless others are named."""
    script = Script(checked)
    problems = list(checked.problems)
    for rule in RULES.everything().values() if rules is None else rules:
        problems += _problems(rule, script)
    return sorted(problems, key=lambda problem: problem.span)


def _problems(rule: Rule, script: Script) -> Iterator[Problem]:
    """The problems that one rule finds. A rule that raises has a bug: that is an error too, which names the rule, because the
    script was not linted as it should be; the other rules still run."""
    try:
        for problem in rule.check(script):
            if not isinstance(problem, Problem):
                raise TypeError(f"{problem!r} is not a Problem")  # it is what the rule did wrong
            yield problem
    except Exception as error:  # a rule of another package may raise anything
        _log.debug("%s: lint rule %s", script.source.path, rule.name, exc_info=True)
        message = f"the lint rule {rule.name} of {rule.module or '?'} failed: {type(error).__name__}: {error}"
        yield Problem(RULE_FAILED, message, Span(0, 0), "report this to its author")
