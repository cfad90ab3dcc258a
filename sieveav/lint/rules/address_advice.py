"""address_advice: addresses that are valid and that other systems may refuse.

What: the address of a `redirect` is not one that every system accepts, or has a more usual form.
Why: redirected mail that another system refuses comes back as a bounce, to a sender who knows nothing of the redirect.
Example: `redirect "root@localhost";`
Instead: a full address, in the form that mail is usually sent to: `redirect "root@example.com";`
"""

from __future__ import annotations

from collections.abc import Iterator

from sieveav.language.phrases import String
from sieveav.language.problems import Edit, Problem, Severity
from sieveav.lint.rule import Rule, Script
from sieveav.running.addresses import parse_addr_spec


def check(script: Script) -> Iterator[Problem]:
    for phrase in script.phrases():
        if phrase.word == "redirect":
            for argument in phrase.arguments:
                if isinstance(argument, String) and "$" not in argument.value:
                    yield from _advice(argument)


def _advice(argument: String) -> Iterator[Problem]:
    spec = parse_addr_spec(argument.value)
    if spec is None:
        return  # invalid: the checker reports it
    from email_validator import EmailNotValidError, validate_email  # 28 ms, for scripts that redirect

    try:
        usual = validate_email(spec, check_deliverability=False).normalized
    except EmailNotValidError as error:
        reason = str(error).removesuffix(".")
        yield rule.problem(f"other systems may refuse this address: {reason}", argument.span)
        return
    if usual.lower() != spec.lower():
        edits = [Edit(argument.span, f'"{usual}"')]
        yield rule.problem("this address has a more usual form", argument.span, f"write {usual}", edits)


rule = Rule(
    "address-advice",
    Severity.ADVICE,
    check,
    good=[
        'redirect "alice@example.com";',
        'redirect "Alice <alice@example.com>";',
        'redirect "a@b\u00fccher.example";',
    ],
    bad=['redirect "root@localhost";', 'redirect "a@[192.0.2.1]";', 'redirect "a@xn--bcher-kva.example";'],
)
