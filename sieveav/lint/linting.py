"""linting: a checked script to all findings: the checker's problems, and advice that a run has no use for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sieveav.language.checking import Checked
from sieveav.language.phrases import Phrase, String
from sieveav.language.problems import Problem, Severity
from sieveav.running.addresses import parse_addr_spec


def findings(checked: Checked) -> list[Problem]:
    """All that is to be said of a script, in order of place."""
    return sorted([*checked.problems, *_addresses(checked.phrases)], key=lambda problem: problem.span)


def _walk(phrases: Iterable[Phrase]) -> Iterator[Phrase]:
    for phrase in phrases:
        yield phrase
        yield from _walk(phrase.tests)
        yield from _walk(phrase.block or ())


def _addresses(phrases: Iterable[Phrase]) -> Iterator[Problem]:
    """Advice on addresses that are right by the standard and that other systems may refuse all the same: local names
    such as root@localhost, and forms of internationalised addresses. An error is only what is no address at all, and
    that the checker has said."""
    for phrase in _walk(phrases):
        if phrase.word != "redirect":
            continue
        for argument in phrase.arguments:
            spec = (
                parse_addr_spec(argument.value) if isinstance(argument, String) and "$" not in argument.value else None
            )
            if spec is None:
                continue
            from email_validator import EmailNotValidError, validate_email  # 28 ms, for scripts that redirect

            try:
                written = validate_email(spec, check_deliverability=False).normalized
            except EmailNotValidError as error:
                message = f"other systems may refuse this address: {error}"
                yield Problem("address-advice", message, argument.span, "", Severity.ADVICE)
                continue
            if written.lower() != spec.lower():
                message = "this address has a more usual form"
                yield Problem("address-advice", message, argument.span, f"write {written}", Severity.ADVICE)
