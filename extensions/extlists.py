"""extlists: look values up in lists that are kept outside of the script, and redirect to their members (RFC 6134).

    if envelope :list "from" ":addrbook:default" {
        fileinto "Known";
    }
    if valid_ext_list "tag:example.com,2024:family" {
        redirect :copy :list "tag:example.com,2024:family";
    }

The keys of a test with :list are names of lists: absolute URIs; ":addrbook:default" is short for
"urn:ietf:params:sieve:addrbook:default". The test holds when one of its values is in one of the lists. How values are
compared with members is the list's affair; a list in a file takes no account of the case of ASCII letters. To ask a list
that there is not is a run-time error.
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

MANY = 256
"""After so many members, the clock is looked at."""


def _no_list(name: str) -> str:
    return f'there is no list "{name}", or it cannot be read'


@extlists.match_type(":list")
class InList(MatchType):
    """:list: the value is in the external list that the key names. RFC 6134, 2.2. It sets no match variables."""

    raw = True  # RFC 6134, 2.2: values are compared by the list, no comparator has changed them

    def check_keys(self, word: Any, use: Use) -> None:
        if not word.compares_texts:  # RFC 6134, 2.2: an error with a test for which it is not supported
            use.complain("match", f":list cannot be used with {use.phrase.word}", rule="list-unfit")
        if use.has("comparator"):  # RFC 6134, 2.2: not allowed together, an error
            hint = "leave :comparator out: how values are compared is up to the list"
            use.complain("comparator", ":list takes no comparator", hint, rule="comparator-unfit")
        for key in use.strings("keys"):
            flaw = list_flaw(key.value)
            if flaw:
                use.complain(key, flaw, LIST_HINT, rule="list-invalid")
            else:
                use.mentions("list", key)

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:  # noqa: ARG002
        flaw = next(filter(None, map(list_flaw, keys)), "")  # of a variable's value; a constant's is a problem
        names = [] if flaw else list(dict.fromkeys(map(list_key, keys)))

        def matches(values: Sequence[str], run: Run) -> bool:
            if flaw:
                run.fail(flaw, self)
            asked = tuple(dict.fromkeys(values))
            for name in names if asked else ():
                listed = run.ask(Listed(name, asked))
                if listed is None:  # RFC 6134, 2.2
                    run.fail(_no_list(name), self)
                if listed:
                    return True
            return False

        return matches


@extlists.choice("redirect_target", ":list")
class ToMembers(RedirectTarget):
    """:list: redirect to all members of the external list. RFC 6134, 2.3.

    Each member is a redirect of its own, and counts against the limit of redirects: of a list with more members the message
    goes to none. An address that is there twice gets the message once. Members that are no addresses are passed over; where
    no address is left, the message is kept.
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
        if members is None:  # RFC 6134, 2.3: no such list, or one whose members cannot be enumerated
            run.fail(_no_list(name), self)
        limit = run.limits.redirects
        addresses: dict[object, str] = {}
        others = 0
        for number, member in enumerate(members):
            if number % MANY == 0:
                run.tick()
            address = parse_addr_spec(member)
            if address is None:
                others += 1
                continue
            addresses.setdefault(Send(address).target, address)
            if len(addresses) > limit:  # RFC 5228, 10 (2)
                run.fail(f'more than {limit} redirects: the list "{name}" has more members', self)
        if others:
            what = "member that is not an email address" if others == 1 else "members that are not email addresses"
            run.log(Severity.WARNING, f'redirect: the list "{name}" has {others} {what}', self)
        if not addresses:
            run.log(Severity.WARNING, f'redirect: the list "{name}" has no email addresses', self)
        return tuple(addresses.values())


@extlists.test("valid_ext_list", phases=PHASES)
class ValidExtList(Word):
    """valid_ext_list: whether all of the lists are there, by names that are valid. RFC 6134."""

    names: Strings

    def check(self, use: Use) -> None:
        for name in use.strings("names"):
            flaw = list_flaw(name.value)
            if flaw:  # the test asks just that, so it is no error
                hint = f"this never holds; {LIST_HINT}"
                use.complain(name, flaw, hint, rule="list-invalid", severity=Severity.WARNING)

    def holds(self, run: Run) -> bool:
        return all(not list_flaw(name) and run.ask(Listed(list_key(name))) is True for name in self.names)
