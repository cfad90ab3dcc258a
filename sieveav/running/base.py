"""base: the words every script knows without `require`: RFC 5228's commands, tests and what they compare with.

They are declared just as an extension's are; an extension's file is best written with this one beside it. Over 400 lines,
for it is one RFC's words, each a few lines long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import gt, lt
from typing import Any

from sieveav.language.extension import OF_A_MESSAGE, PHASES, Extension
from sieveav.language.grammar import choice, derived
from sieveav.language.problems import Severity
from sieveav.language.program import Arms, Strings, Test, Tests
from sieveav.language.use import Use
from sieveav.language.word import Choice, Word
from sieveav.running.acting import Acting
from sieveav.running.addresses import Address, address_flaw, parse_addr_spec
from sieveav.running.effects import Discard, Send, Store
from sieveav.running.globs import Glob, Tick, matcher
from sieveav.running.matching import MANY, Capturer, Comparator, Matcher, Matching, MatchType
from sieveav.running.message import AddressValues, Fields, Fold, HeaderValues, names_of
from sieveav.running.outcome import Action
from sieveav.running.run import Run

base = Extension("", "RFC 5228")

# ---- control, RFC 5228, 3


@base.command("if")
class If(Word):
    """if, elsif, else: the block of the first arm whose test holds. RFC 5228, 3.1."""

    arms: Arms
    only: Any = derived(None)
    then: Any = derived(None)

    def prepare(self) -> None:
        if len(self.arms) == 1:
            ((self.only, self.then),) = self.arms
            self.run = self._one  # type: ignore[method-assign]

    def _one(self, run: Run) -> None:
        """What nearly every rule of a long script is: one test, one block."""
        if run.evaluate(self.only) if run.instrumented else self.only.holds(run):
            self.then.run(run)

    def run(self, run: Run) -> None:
        for test, block in self.arms:
            if test is None or (run.evaluate(test) if run.instrumented else test.holds(run)):
                block.run(run)
                return


@base.command()
class Stop(Word):
    """stop: the script ends here; what was decided stands. RFC 5228, 3.3."""

    def run(self, run: Run) -> None:
        run.stop()


# ---- actions, RFC 5228, 4


@base.action("keep", phases=OF_A_MESSAGE)
class Keep(Acting):
    """keep: the message goes where it would have gone without a script. RFC 5228, 4.3."""

    def stands_for(self) -> Action:
        return Action("keep", (Store(),), cancels_keep=False, keeps=True)


@base.action("discard", phases=OF_A_MESSAGE)
class DiscardCommand(Acting):
    """discard: the message is dropped silently, unless something else is done with it too. RFC 5228, 4.4."""

    def stands_for(self) -> Action:
        return Action("discard", (Discard(),))


class RedirectTarget(Choice):
    """What the argument of redirect names: `flaw(text)` is the rule for it (`rule` by name) and `hint` what to write,
    `addresses(text, run)` gives the addresses."""

    rule = "address-invalid"
    hint = ""
    mentions = ""
    """What it names outside of the script (`use.mentions`), "" for nothing."""

    def flaw(self, text: str) -> str:
        """What is wrong with the argument, "" for nothing."""
        raise NotImplementedError

    def addresses(self, text: str, run: Any) -> tuple[str, ...]:
        """Where the message goes."""
        raise NotImplementedError

    def details(self, text: str) -> dict[str, object]:  # noqa: ARG002
        """What the actions show beside the address."""
        return {}


@base.choice("redirect_target", "address")
class ToAddress(RedirectTarget):
    """redirect to an address, where no tag says that the argument is something else."""

    hint = 'write it as "user@example.com"'

    def flaw(self, text: str) -> str:
        return address_flaw(text)

    def addresses(self, text: str, run: Run | None) -> tuple[str, ...]:  # noqa: ARG002
        address = parse_addr_spec(text)
        assert address is not None  # else it has a flaw  # noqa: S101
        return (address,)


@base.action("redirect")
class Redirect(Acting):
    """redirect: the message goes on to an address, its content unchanged. RFC 5228, 4.2.

    What the argument names is a choice of the kind "redirect_target", a `RedirectTarget`, so that other extensions can add
    theirs (RFC 6134).
    """

    to: Any = choice("redirect_target", "address")
    address: str
    actions: tuple[Action, ...] = derived()

    def check(self, use: Use) -> None:
        for address in use.strings("address"):
            flaw = self.to.flaw(address.value)
            if flaw:  # RFC 5228, 2.4.2.3
                use.complain(address, flaw, self.to.hint, rule=self.to.rule)
            elif self.to.mentions:
                use.mentions(self.to.mentions, address)

    def prepare(self) -> None:
        known = isinstance(self.to, ToAddress) and not self.to.flaw(self.address)
        self.actions = self._actions(self.to.addresses(self.address, None)) if known else ()

    def _actions(self, addresses: Iterable[str]) -> tuple[Action, ...]:
        details = self.to.details(self.address)
        return tuple(self.amended(Action("redirect", (Send(address),), details=details)) for address in addresses)

    def run(self, run: Run) -> None:
        flaw = "" if self.actions else self.to.flaw(self.address)
        if flaw:
            run.fail(flaw, self)
        run.redirecting()
        for action in self.actions or self._actions(self.to.addresses(self.address, run)):
            run.act(action, self.written)


# ---- tests, RFC 5228, 5


@base.test("true", phases=PHASES)
class Always(Word):
    """true holds. RFC 5228, 5.10."""

    def holds(self, run: Run) -> bool:  # noqa: ARG002
        return True


@base.test("false", phases=PHASES)
class Never(Word):
    """false does not hold. RFC 5228, 5.6."""

    def holds(self, run: Run) -> bool:  # noqa: ARG002
        return False


@base.test("not", phases=PHASES)
class Not(Word):
    """not: holds when the test does not. RFC 5228, 5.8."""

    test: Test

    def holds(self, run: Run) -> bool:
        return not (run.evaluate(self.test) if run.instrumented else self.test.holds(run))


@base.test("anyof", phases=PHASES)
class AnyOf(Word):
    """anyof: holds when one of the tests does; those after it are not asked. RFC 5228, 5.3."""

    tests: Tests

    def holds(self, run: Run) -> bool:
        if run.instrumented:
            return any(run.evaluate(test) for test in self.tests)
        for test in self.tests:
            if test.holds(run):
                return True
        return False


@base.test("allof", phases=PHASES)
class AllOf(Word):
    """allof: holds when all of the tests do; those after one that does not are not asked. RFC 5228, 5.2."""

    tests: Tests

    def holds(self, run: Run) -> bool:
        if run.instrumented:
            return all(run.evaluate(test) for test in self.tests)
        for test in self.tests:
            if not test.holds(run):
                return False
        return True


@base.test("size")
class Size(Word):
    """size: whether the message has more, or fewer, octets than the limit. RFC 5228, 5.9."""

    relation: Any = choice("size_relation", None)
    limit: int
    compare: Any = derived()

    def check(self, use: Use) -> None:
        if not use.has("relation"):
            use.complain(None, "size takes :over or :under", "usage: size :over <limit: number>", rule="tag-missing")

    def prepare(self) -> None:
        self.compare = self.relation.compare

    def holds(self, run: Run) -> bool:
        return self.compare(run.message.size, self.limit)  # type: ignore[no-any-return]


@base.choice("size_relation", ":over")
class Over(Choice):
    compare = gt  # RFC 5228, 5.9: exactly the limit is neither over nor under it


@base.choice("size_relation", ":under")
class Under(Choice):
    compare = lt


@base.test("exists")
class Exists(Word):
    """exists: whether all of the header fields are there. RFC 5228, 5.5."""

    names: Strings
    sources: list[Any] = derived()

    def prepare(self) -> None:
        self.sources = [HeaderValues(Fields((name,))) for name in names_of(self.names)]
        for tag in self.tags:
            self.sources = [tag.amend(source) for source in self.sources]

    def holds(self, run: Run) -> bool:
        for subject in self.sources:
            message = run.focus(subject.needs) if subject.needs else run.message
            if not subject.source.of(message):
                return False
        return True


def header_name_flaw(text: str) -> str:
    """Why no header field can have the name `text`, "" when one can."""
    text = text.strip()
    right = text and all("!" <= c <= "~" and c != ":" for c in text)  # RFC 5322, 3.6.8
    return "" if right else "no header field has this name"


def check_names(use: Use, field: str) -> None:
    """Advise on header names that no field has. RFC 5228, 2.4.2.2: they are no errors."""
    for name in use.strings(field):
        flaw = header_name_flaw(name.value)
        if flaw:
            text = name.value.strip()
            hint = f'write "{text[:-1]}"' if text.endswith(":") and not header_name_flaw(text[:-1]) else ""
            use.complain(name, flaw, hint, rule="header-name", severity=Severity.WARNING)


@base.test("header")
class Header(Matching):
    """header: whether a value of the header fields matches a key. RFC 5228, 5.7."""

    names: Strings
    keys: Strings

    def check(self, use: Use) -> None:
        super().check(use)
        check_names(use, "names")

    def subject_for(self, fold: Fold) -> HeaderValues:
        return HeaderValues(Fields(names_of(self.names)), fold)


ADDRESS_FIELDS = frozenset(
    """
    from to cc bcc sender reply-to author
    resent-from resent-to resent-cc resent-bcc resent-sender resent-reply-to
    return-path delivered-to envelope-to envelope-from x-envelope-to x-envelope-from x-original-to x-original-from
    x-rcpt-to apparently-to x-forwarded-to x-forwarded-for x-loop x-sender
    errors-to x-complaints-to abuse-reports-to x-report-abuse-to x-admin
    disposition-notification-to return-receipt-to return-receipt-requested read-receipt-to x-confirm-reading-to
    registered-mail-reply-requested-by mail-followup-to mail-reply-to for-approval for-comment for-handling
    list-post list-owner list-subscribe list-unsubscribe x-beenthere
    """.split()
)
"""RFC 5228, 5.1: the fields that hold addresses, and SHOULD be taken: those of RFC 5322, and what transports and lists add."""

OTHER_FIELDS = frozenset(
    """
    subject comments keywords date resent-date message-id resent-message-id in-reply-to references received mime-version
    content-type content-transfer-encoding content-id content-description content-disposition content-language list-id
    """.split()
)
"""Fields that by their standards (RFC 5322, 2045, 2919) hold something else."""


@base.test("address")
class AddressTest(Matching):
    """address: whether a part of an address in the header fields matches a key. RFC 5228, 5.1."""

    address_part: Any = choice("address_part", ":all")
    names: Strings
    keys: Strings

    def check(self, use: Use) -> None:
        super().check(use)
        check_names(use, "names")
        if any(tag.any_field for tag in self.tags):
            return  # a tag that looks elsewhere may read any field as one of addresses (RFC 5703, 4.2)
        for name in use.strings("names"):
            text = name.value.strip().lower()
            if text in ADDRESS_FIELDS or header_name_flaw(text):
                continue
            message = f"this header field {'holds no' if text in OTHER_FIELDS else 'is not known to hold'} addresses"
            hint = 'look at other fields with "header"'
            use.complain(name, message, hint, rule="header-no-address", severity=Severity.WARNING)

    def subject_for(self, fold: Fold) -> AddressValues:
        names = names_of(self.names)
        if not any(tag.any_field for tag in self.tags):
            # RFC 5228, 5.1: MUST be restricted to headers that contain addresses; a field of anybody's own may be one
            names = tuple(name for name in names if name not in OTHER_FIELDS)
        return AddressValues(Fields(names), self.address_part.part, fold)


# ---- address parts, RFC 5228, 2.7.4


@base.address_part(":all")
class All(Choice):
    @staticmethod
    def part(address: Address) -> str | None:
        return address.text


@base.address_part(":localpart")
class LocalPart(Choice):
    @staticmethod
    def part(address: Address) -> str | None:
        return address.local


@base.address_part(":domain")
class Domain(Choice):
    @staticmethod
    def part(address: Address) -> str | None:
        return address.domain


# ---- comparators, RFC 5228, 2.7.3


@base.comparator("i;octet")
class Octet(Comparator):
    """i;octet: octet by octet. RFC 4790, 9.3."""


def ascii_upper(text: str) -> str:
    """`text` with ASCII letters in upper case and all else as it is."""
    if text.isascii():
        return text.upper()
    return text.encode("utf-8", "surrogatepass").upper().decode("utf-8", "surrogatepass")


@base.comparator("i;ascii-casemap")
class AsciiCasemap(Comparator):
    """i;ascii-casemap: octet by octet, ASCII letters without regard to case. RFC 4790, 9.2."""

    fold = staticmethod(ascii_upper)


# ---- match types, RFC 5228, 2.7.1


def _folded(comparator: Comparator, texts: Sequence[str]) -> list[str]:
    fold = comparator.fold
    return list(texts) if fold is None else [fold(text) for text in texts]


@base.match_type(":is")
class Is(MatchType):
    """:is: the value is the key."""

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:
        wanted = frozenset(_folded(comparator, keys))
        return lambda values, run: not wanted.isdisjoint(values)  # noqa: ARG005


@base.match_type(":contains")
class Contains(MatchType):
    """:contains: the key is a part of the value."""

    needs = "substring"

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:
        wanted = _folded(comparator, keys)
        if len(wanted) == 1:
            (only,) = wanted

            def one(values: Sequence[str], run: Run) -> bool:  # noqa: ARG001
                for value in values:
                    if only in value:
                        return True
                return False

            return one

        def several(values: Sequence[str], run: Run) -> bool:
            for value in values:
                for i, key in enumerate(wanted):
                    if key in value:
                        return True
                    if i % MANY == MANY - 1:
                        run.tick()
            return False

        return several


def octets(text: str) -> str:
    """`text` with one character for each octet of its UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def characters(text: str) -> str:
    """The text whose octets those are; octets that are no UTF-8 become replacement characters."""
    return text.encode("latin-1").decode("utf-8", "replace")


class _Pattern:
    """One key of :matches. Where the comparator's characters are octets, `?` is one octet, so a pattern with `?` looks
    at a value that is not ASCII octet by octet."""

    def __init__(self, key: str, comparator: Comparator) -> None:
        folded = _folded(comparator, [key])[0]
        self.glob = Glob(folded)
        self.by_octets = comparator.octets and self.glob.has_holes
        self.matches: Callable[[str, Tick], Any] = matcher(folded)
        if self.by_octets:
            self.octet_glob = Glob(octets(folded))
            self.matches = self._by_octets

    def _by_octets(self, value: str, tick: Tick) -> bool:
        if value.isascii():
            return self.glob.places(value, tick) is not None
        return self.octet_glob.places(octets(value), tick) is not None

    def captures(self, value: str, fold: Fold, tick: Tick) -> tuple[str, ...] | None:
        folded = value if fold is None else fold(value)
        if self.by_octets and not value.isascii():
            found = self.octet_glob.captures(octets(folded), octets(value), tick)
            return None if found is None else tuple(characters(text) for text in found)
        # a folding that changes lengths (i;unicode-casemap) leaves no way back: the match values are the folded ones
        return self.glob.captures(folded, value if len(value) == len(folded) else folded, tick)


@base.match_type(":matches")
class Matches(MatchType):
    """:matches: the key is a pattern for the whole value; * is any characters, ? is one."""

    needs = "substring"
    captures = True

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:
        patterns = [_Pattern(key, comparator) for key in keys]
        if len(patterns) == 1:
            fits = patterns[0].matches

            def one(values: Sequence[str], run: Run) -> bool:
                tick = run.tick
                for value in values:
                    if fits(value, tick):
                        return True
                return False

            return one

        def several(values: Sequence[str], run: Run) -> bool:
            for value in values:
                for i, pattern in enumerate(patterns):
                    if i % MANY == 0:
                        run.tick()
                    if pattern.matches(value, run.tick):
                        return True
            return False

        return several

    def capturer(self, comparator: Comparator, keys: Sequence[str]) -> Capturer:
        """RFC 5229, 3.2: the values of the first match, in the order of the values, then of the keys."""
        patterns = [_Pattern(key, comparator) for key in keys]
        fold = comparator.fold

        def captures(values: Sequence[str], run: Run) -> tuple[str, ...] | None:
            for value in values:
                for i, pattern in enumerate(patterns):
                    if i % MANY == 0:
                        run.tick()
                    found = pattern.captures(value, fold, run.tick)
                    if found is not None:
                        return found
            return None

        return captures
