"""command_unreachable: commands after `stop` in the same block never run.

What: a command follows `stop` in its block.
Why: it looks as if it took effect. Often `stop` was meant for another block, or is left over from a try.
Example: `fileinto "Junk"; stop; addflag "\\\\Seen";`
Instead: put the command before `stop`, or remove it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sieveav.language.problems import Problem, Severity, Span
from sieveav.lint.rule import Rule, Script


def check(script: Script) -> Iterator[Problem]:
    for block in script.blocks():
        words = [phrase.word for phrase in block]
        unreachable = block[words.index("stop") + 1 :] if "stop" in words else ()
        if unreachable:
            span = Span(unreachable[0].span.start, unreachable[-1].whole.end)
            yield rule.problem("never reached, because stop ends the script", span, "put it before stop, or remove it")


rule = Rule(
    "command-unreachable",
    Severity.WARNING,
    check,
    good=["if true { stop; } keep;", 'if header "subject" "a" { discard; stop; } elsif true { keep; }', "stop;"],
    bad=["stop; keep;", "if true { stop; keep; discard; } keep;", "if true { stop; if true { stop; } }"],
)
