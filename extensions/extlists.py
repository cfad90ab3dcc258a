"""extlists: test membership in lists outside the script, and redirect to their members (RFC 6134).

    if envelope :list "from" ":addrbook:default" {
        fileinto "Known";
    }
    if valid_ext_list "tag:example.com,2024:family" {
        redirect :copy :list "tag:example.com,2024:family";
    }

The keys of a test with :list are names of lists: absolute URIs; ":addrbook:default" is short for
"urn:ietf:params:sieve:addrbook:default". The test is true if any of its values is in any of the lists. Each list decides
how values are compared with members; a list in a file ignores the case of ASCII letters. A missing list is a run-time
error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sieveav.extending import (
    LIST_HINT,
    PHASES,
    Comparator,
    Extension,
    Listed,
    Matcher,
    MatchType,
    Members,
    RedirectTarget,
    Run,
    Send,
    Severity,
    Strings,
    Use,
    Word,
    list_flaw,
    list_key,
    parse_addr_spec,
)

extlists = Extension("extlists", "RFC 6134")
extlists.rule("list-invalid", "the name of an external list is invalid")
extlists.rule("list-unfit", "the test does not support :list")

MEMBERS_PER_TICK = 256
"""The time limit is checked each time this many members were read."""


def _no_list(name: str) -> str:
    return f'list "{name}" does not exist or cannot be read'


@extlists.match_type(":list")
class InList(MatchType):
    """:list: the value is in the external list that the key names. RFC 6134, 2.2. It sets no match variables."""

    raw = True  # RFC 6134, 2.2: the list compares the values, so no comparator folds them

    def check_keys(self, word: Any, use: Use) -> None:
        if not word.compares_texts:  # RFC 6134, 2.2: an error with a test for which it is not supported
            use.complain("match", f"{use.phrase.word} does not support :list", rule="list-unfit")
        if use.has("comparator"):  # RFC 6134, 2.2: not allowed together, an error
            hint = "leave out :comparator; the list decides how values are compared"
            use.complain("comparator", ":list takes no comparator", hint, rule="comparator-unfit")
        for key in use.strings("keys"):
            flaw = list_flaw(key.value)
            if flaw:
                use.complain(key, flaw, LIST_HINT, rule="list-invalid")
            else:
                use.mentions("list", key)

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:  # noqa: ARG002
        flaw = next(filter(None, map(list_flaw, keys)), "")  # of a value from a variable; a constant has a problem
        names = [] if flaw else list(dict.fromkeys(map(list_key, keys)))

        def matches(values: Sequence[str], run: Run) -> bool:
            if flaw:
                run.fail(flaw, self)
            distinct = tuple(dict.fromkeys(values))
            for name in names if distinct else ():
                listed = run.ask(Listed(name, distinct))
                if listed is None:  # RFC 6134, 2.2
                    run.fail(_no_list(name), self)
                if listed:
                    return True
            return False

        return matches


@extlists.choice("redirect_target", ":list")
class ToMembers(RedirectTarget):
    """:list: redirect to all members of the external list. RFC 6134, 2.3.

    Each member is one redirect and counts against the limit of redirects; a list with more members is an error, and the
    message goes to none of them. An address that is listed twice gets the message once. Members that are not addresses
    are skipped; if no address is left, the message is kept.
    """

    rule = "list-invalid"
    hint = LIST_HINT
    mentions = "list"

    def flaw(self, text: str) -> str:
        return list_flaw(text)

    def details(self, text: str) -> dict[str, object]:
        return {"list": list_key(text)}

    def addresses(self, text: str, run: Run) -> tuple[str, ...]:
        name = list_key(text)
        members = run.ask(Members(name))
        if members is None:  # RFC 6134, 2.3: no such list, or its members cannot be enumerated
            run.fail(_no_list(name), self)
        limit = run.limits.redirects
        addresses: dict[object, str] = {}
        skipped = 0
        for number, member in enumerate(members):
            if number % MEMBERS_PER_TICK == 0:
                run.tick()
            address = parse_addr_spec(member)
            if address is None:
                skipped += 1
                continue
            addresses.setdefault(Send(address).target, address)
            if len(addresses) > limit:  # RFC 5228, 10 (2)
                run.fail(f'more than {limit} redirects: list "{name}" has more members', self)
        if skipped:
            what = "member that is not an email address" if skipped == 1 else "members that are not email addresses"
            run.log(Severity.WARNING, f'redirect: list "{name}" has {skipped} {what}', self)
        if not addresses:
            run.log(Severity.WARNING, f'redirect: list "{name}" has no email addresses', self)
        return tuple(addresses.values())


@extlists.test("valid_ext_list", phases=PHASES)
class ValidExtList(Word):
    """valid_ext_list: whether all the names are valid and the lists exist. RFC 6134."""

    names: Strings

    def check(self, use: Use) -> None:
        for name in use.strings("names"):
            flaw = list_flaw(name.value)
            if flaw:  # this test exists to ask that, so it is no error
                hint = f"this test is never true; {LIST_HINT}"
                use.complain(name, flaw, hint, rule="list-invalid", severity=Severity.WARNING)

    def holds(self, run: Run) -> bool:
        return all(not list_flaw(name) and run.ask(Listed(list_key(name))) is True for name in self.names)
