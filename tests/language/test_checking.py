"""The checker: every rule of its own with place and hint; the form of an extension, each seam by a small one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from support.accepting import Accepted
from support.sieve import Install, Sieve

from sieveav import limits
from sieveav.extending import (
    INTEGER,
    OF_A_MESSAGE,
    OF_A_RECIPIENT,
    TEXT,
    Acting,
    Action,
    Address,
    Block,
    Choice,
    Comparator,
    Extension,
    ForeignTag,
    Given,
    Matcher,
    Matching,
    MatchingValues,
    MatchType,
    Namespace,
    Option,
    Run,
    Severity,
    Span,
    Store,
    Strings,
    Subject,
    Use,
    Word,
    choice,
    comparator,
    derived,
    match_type,
    optional,
    tag,
)
from sieveav.language.grammar import grammar_of
from sieveav.language.problems import Problem
from sieveav.site.library import Library

if TYPE_CHECKING:  # a class of that name would be taken for tests
    from sieveav.extending import Test


def places(sieve: Sieve, script: str, **vocabulary: Any) -> list[str]:
    """`line:column-length rule` of each problem."""
    checked = sieve.check(script, **vocabulary)
    shown = []
    for problem in checked.problems:
        line, column = checked.source.position(problem.span.start)
        shown.append(f"{line}:{column}-{problem.span.end - problem.span.start} {problem.rule}")
    return shown


def steps_of(block: Block) -> list[Any]:
    """The words of a block, of whatever classes."""
    return list(block.steps)


# ---- the rules

PROBLEMS = {
    # words
    "kep;": ["1:1-3 word-unknown"],
    "xyzzy;": ["1:1-5 word-unknown"],
    'fileinto "a";': ["1:1-8 word-unknown"],
    "if true { } elseif true { }": ["1:13-6 word-unknown"],
    "true;": ["1:1-4 word-unknown"],
    "if keep { }": ["1:4-4 word-unknown"],
    'if heade "a" "b" { }': ["1:4-5 word-unknown"],
    'if envelope "from" "b" { }': ["1:4-8 word-unknown"],
    "xyzzy { kep; }": ["1:1-5 word-unknown", "1:9-3 word-unknown"],
    # tags
    'if header :isnt "a" "b" { }': ["1:11-5 tag-unknown"],
    'if header :foo 3 "x" "a" "b" { }': ["1:11-4 tag-unknown"],
    'if header :count "eq" "a" "1" { }': ["1:11-6 tag-unknown"],
    'redirect :copy "a@example.com";': ["1:10-5 tag-unknown"],
    'if header :is :is "a" "b" { }': ["1:15-3 tag-repeated"],
    'if header :is :contains "a" "b" { }': ["1:15-9 tag-repeated"],
    'if address :all :domain "to" "b" { }': ["1:17-7 tag-repeated"],
    'if header :comparator "i;octet" :comparator "i;octet" "a" "b" { }': ["1:33-11 tag-repeated"],
    'require "copy"; redirect :copy :copy "a@example.com";': ["1:32-5 tag-repeated"],
    'if header "a" :is "b" { }': ["1:15-3 tag-late"],
    'if header "a" "b" :is { }': ["1:19-3 tag-late"],
    # choices
    'if header :comparator "i;octett" "a" "b" { }': ["1:23-10 comparator-unknown"],
    'if header :comparator "i;ascii-numeric" "a" "b" { }': ["1:23-17 comparator-unknown"],
    'if header :comparator "zzz" "a" "b" { }': ["1:23-5 comparator-unknown"],
    'if header :comparator 3 "a" "b" { }': ["1:11-11 argument-type"],
    'require "comparator-i;ascii-numeric"; if header :contains :comparator "i;ascii-numeric" "a" "1" { }': [
        "1:49-9 comparator-unfit"
    ],
    # arguments
    "if header { }": ["1:4-6 argument-missing"],
    'if header :is "a" { }': ["1:4-14 argument-missing"],
    'if header "a" 3 { }': ["1:15-1 argument-type"],
    'if header "a" "b" "c" ["d"] { }': ["1:19-9 argument-surplus"],
    'redirect ["a@example.com"];': ["1:10-17 argument-type"],
    "keep 3;": ["1:6-1 argument-surplus"],
    'if size :over "1" { }': ["1:15-3 argument-type"],
    "if size 3 { }": ["1:4-4 tag-missing"],
    "if size :over :under 3 { }": ["1:15-6 tag-repeated"],
    "if true false { }": ["1:9-5 argument-type"],
    "keep { }": ["1:1-4 argument-type"],
    # meaning
    'redirect "nobody";': ["1:10-8 address-invalid"],
    'if header "from:" "a" { }': ["1:11-7 header-name"],
    'if address "subject" "a" { }': ["1:12-9 header-no-address"],
    # require
    'require "filinto";': ["1:9-9 require-unknown"],
    'require ["fileinto", "zzzz"];': ["1:22-6 require-unknown"],
    'require "";': ["1:9-2 require-unknown"],
    'require "FILEINTO";': ["1:9-10 require-unknown"],
    'require "comparator-elbonia";': ["1:9-20 require-unknown"],
    'keep;\nrequire "fileinto";\nfileinto "a";': ["2:1-7 require-late"],
    "require;": ["1:1-7 argument-type"],
    "require 3;": ["1:1-9 argument-type"],
    'require "copy" "fileinto"; fileinto :copy "a";': ["1:1-25 argument-type"],
    'require "copy" { }': ["1:1-14 argument-type"],
    # limits
    f"keep{' 1' * 33};": ["1:1-4 arguments-too-many"],
    # text without quotes, tests without allof
    "fileinto Junk;": ["1:1-8 word-unknown", "1:10-4 string-unquoted"],
    "redirect postmaster\n;": ["1:10-10 string-unquoted", "1:10-10 address-invalid"],
    "redirect\npostmaster;": ["1:1-8 argument-missing", "1:8-1 semicolon-missing", "2:1-10 word-unknown"],
    "keep stp;": ["1:4-1 semicolon-missing", "1:6-3 word-unknown"],
    "keep stop;": ["1:4-1 semicolon-missing"],
    "fileinto :flags Junk;": ["1:1-8 word-unknown", "1:17-4 string-unquoted"],
    "if header subject viagra { discard; }": ["1:11-14 string-unquoted"],
    'if header subject "viagra" { discard; }': ["1:11-7 string-unquoted"],
    'if header "a" "b" and header "c" "d" { keep; }': ["1:19-3 argument-type"],
    'if header "a" "b" or not heder "c" "d" { keep; }': ["1:19-2 argument-type", "1:26-5 word-unknown"],
    'if header "a" "b" header "c" "d" { kep; }': ["1:19-6 argument-type", "1:36-3 word-unknown"],
    'if header "a" "b" envelope "c" "d" { keep; }': ["1:19-8 argument-type", "1:19-8 word-unknown"],
    "if true not true { }": ["1:9-3 argument-type"],
    "stop header;": ["1:6-6 argument-type"],
    # of grammar and of meaning together
    'fileinto "a"\nif header :is { kep }\nredirect "x" ];': [
        "1:1-8 word-unknown",
        "1:12-1 semicolon-missing",
        "2:4-10 argument-missing",
        "2:17-3 word-unknown",
        "2:19-1 semicolon-missing",
        "3:14-1 syntax",
    ],
}


@pytest.mark.parametrize("script", PROBLEMS)
def test_problems(sieve: Sieve, accepted: Accepted, script: str) -> None:
    assert places(sieve, script) == PROBLEMS[script]
    accepted(f"{p.message} | {p.hint}".removesuffix(" | ") for p in sieve.check(script).problems)


def test_a_hint_is_given_once(sieve: Sieve) -> None:
    hints = [problem.hint for problem in sieve.check("kep;\nkep;\nfileinto; fileinto;").problems]
    assert hints == ['did you mean "keep"?', "", 'write: require "fileinto";', ""]


@pytest.mark.parametrize(
    ("script", "phase", "rules"),
    [
        ("keep;", "data", []),
        ("discard;", "data", []),
        ('redirect "a@example.com";', "each_rcpt", []),
        ('redirect "a@example.com";', "data", ["phase-invalid"]),
        ('require "fileinto"; fileinto "a";', "data", ["phase-invalid"]),
        ("if true { stop; }", "connect", []),
        ("keep;", "mailfrom", ["phase-invalid"]),
        ('if not header "a" "b" { }', "connect", ["phase-invalid"]),
        ("if not size :over 3 { }", "rcptto", ["phase-invalid"]),
    ],
)
def test_phases(sieve: Sieve, script: str, phase: str, rules: list[str]) -> None:
    assert sieve.rules(script, phase=phase) == rules


def test_a_string_is_bounded_once_its_lines_are_crlf(sieve: Sieve) -> None:
    assert sieve.rules('if header "a" "' + "\n" * (limits.STRING_SIZE // 2 + 1) + '" { }') == ["string-too-long"]


def test_a_program_is_there_unless_there_is_an_error(sieve: Sieve) -> None:
    assert sieve.check("keep;").program is not None
    warned = sieve.check(r'if header "x:" "\a" { }')
    assert [problem.severity for problem in warned.problems] == [Severity.WARNING, Severity.ADVICE]
    assert warned.program is not None
    for script in ("kep;", "keep", 'require "zzzz";', "}"):
        assert sieve.check(script).program is None


def test_advice_never_hides_an_error(sieve: Sieve) -> None:
    advised = 'if header "a:" "\\d" { }\n' * 300
    checked = sieve.check(advised + "kep;")
    assert checked.program is None
    assert "word-unknown" in [problem.rule for problem in checked.problems]
    assert len(checked.problems) <= limits.PROBLEMS + 1
    assert sieve.check(advised).program is not None


def test_problems_are_bounded(sieve: Sieve) -> None:
    assert len(sieve.check("kep;" * 5000).problems) == limits.PROBLEMS


class Counting(Library):
    """The library, which counts how often it is asked."""

    found = listed = 0

    def find(self, name: str) -> Extension | None:
        self.found += 1
        return super().find(name)

    def everything(self) -> Mapping[str, Extension]:
        self.listed += 1
        return super().everything()


@pytest.mark.parametrize("count", [300, 9000])
def test_the_work_of_wrong_requires_is_bounded(sieve: Sieve, count: int) -> None:
    sieve.library = library = Counting()
    capabilities = ", ".join(f'"vnd.nothing{i}"' for i in range(count))
    problems = sieve.check(f"require [{capabilities}];").problems
    assert [problem.rule for problem in problems] == ["require-unknown"] * limits.PROBLEMS
    assert library.found <= 3 * limits.CAPABILITIES
    assert library.listed <= limits.PROBLEMS


def test_too_many_requires(sieve: Sieve) -> None:
    require = 'require "fileinto";\n'
    assert sieve.rules(require * limits.CAPABILITIES) == []
    assert places(sieve, require * (limits.CAPABILITIES + 1)) == ["257:9-10 capabilities-too-many"]


@pytest.mark.parametrize(
    "line", ["{};", "if {} {{ }}", "keep :{};", 'if header :comparator "{}" "a" "b" {{ }}', "x {};"]
)
def test_hints_are_worked_out_for_problems_that_are_reported(sieve: Sieve, line: str) -> None:
    sieve.library = library = Counting()
    lines = [line.format(f"word{i}") for i in range(4000)]
    assert len(sieve.check("\n".join(lines)).problems) >= limits.PROBLEMS
    assert library.listed <= limits.PROBLEMS


def test_a_word_that_asks_for_hints_is_bounded_too(sieve: Sieve) -> None:
    sieve.library = library = Counting()
    names = "".join(f"${{nothing{i}.x}}" for i in range(3000))
    assert set(sieve.rules(f'require "variables"; redirect "{names}";')) == {"namespace-unknown"}
    assert library.listed <= limits.PROBLEMS


def test_edits_mend_the_script(sieve: Sieve) -> None:
    script = '# mail\nif header :isnt "a" "b" { filinto Junk; }\nif header :count "eq" "a" "1" { kep }'
    problems = sieve.check(script).problems
    edits = {edit for problem in problems for edit in problem.edits}
    for edit in sorted(edits, key=lambda edit: edit.span, reverse=True):
        script = script[: edit.span.start] + edit.text + script[edit.span.end :]
    assert script == (
        '# mail\nrequire "relational";\n'
        'if header :is "a" "b" { filinto "Junk"; }\nif header :count "eq" "a" "1" { keep; }'
    )


@pytest.mark.parametrize(
    ("script", "start"),
    [
        ("/* a */ fileinto;", 8),
        ("} fileinto;", 0),
        ("\ufeff} fileinto;", 1),
        ("\ufeff# a\n\nfileinto;", 6),
        ('require "copy";\nfileinto;', 0),
    ],
)
def test_where_a_require_is_inserted(sieve: Sieve, script: str, start: int) -> None:
    (edit,) = [edit for problem in sieve.check(script).problems for edit in problem.edits]
    assert edit == (Span(start, start), 'require "fileinto";\n')


def test_what_tools_need(sieve: Sieve) -> None:
    checked = sieve.check('require "copy"; # why\nkeep; kep; /* end */')
    assert [phrase.word for phrase in checked.phrases] == ["require", "keep", "kep"]
    assert [comment.text for comment in checked.comments] == ["# why", "/* end */"]
    assert checked.vocabulary is not None
    assert checked.vocabulary.capabilities == {"copy"}


def test_problems_show_what_they_quote_without_control_characters(sieve: Sieve) -> None:
    for problem in sieve.check(b'require "a\x01\r\n\xff";\nif header :comparator "\x1b[2J" "a" "b" { }').problems:
        assert problem.message.isprintable()


def test_the_cost_of_a_block_is_its_own(sieve: Sieve) -> None:
    program = sieve.program('keep; if anyof (true, header "a" ["b", "c"]) { keep; if true { stop; stop; } }')
    outer = program.block
    ((_, inner),) = steps_of(outer)[1].arms
    ((_, innermost),) = steps_of(inner)[1].arms
    # keep, if, anyof, true, header and its three strings; keep, if, true; stop, stop
    assert [outer.cost, inner.cost, innermost.cost] == [8, 3, 2]
    assert program.cost == 13


def test_it_takes_any_octets(sieve: Sieve) -> None:
    assert sieve.check(b"\xff\xfe\x00\x00").program is None
    assert sieve.check(b'\xef\xbb\xbfif header "a" "\xff" { discard; }').program is not None


# ---- usage


def test_usage_lines_come_from_the_fields() -> None:
    class Odd(Word):
        match: MatchType = match_type()
        comparator: Comparator = comparator()
        days: int = tag(":days", 7)
        handle: str = tag(":handle")
        mime: bool = tag(":mime")
        flag_list: Strings = optional(())
        name: str
        limit: int
        test: Test
        body: Block

    assert grammar_of(Odd).usage("word") == (
        "word [MATCH-TYPE] [COMPARATOR] [:days <number>] [:handle <string>] [:mime] "
        "[<flag-list: string-list>] <name: string> <limit: number> <test: test> { ... }"
    )


# ---- the form of an extension


def test_a_test_and_an_action(install: Install) -> None:
    ext = Extension("vnd.test", "a test")

    @ext.test()
    class Weighs(Word):
        over: bool = tag(":over")
        grams: int = tag(":grams", 1)
        label: str = optional("none")
        things: Strings

        def check(self, use: Use) -> None:
            for thing in use.strings("things"):
                if thing.value == "ghost":
                    use.complain(thing, "a ghost weighs nothing", "leave it out", rule="ghost")
            if use.has("grams") and not self.grams:
                use.complain("grams", "nothing weighs 0", severity=Severity.WARNING)
            if use.tags == {":over"}:
                use.complain(None, "over what", rule="over-what")

        def prepare(self) -> None:
            self.total = self.grams * len(self.things)

        def holds(self, run: Run) -> bool:  # noqa: ARG002
            return self.total > 5 if self.over else self.label == "odd"

    @ext.action("stamp")
    class Stamps(Acting):
        text: str

        def make_action(self) -> Action:
            return Action("stamp", (), cancels_keep=False, details={"text": self.text})

    sieve = install(ext)
    require = 'require "vnd.test";'
    assert sieve.holds('weighs :grams 3 :over ["a", "b"]', require=require)
    assert not sieve.holds('weighs :over :grams 2 ["a", "b"]', require=require)
    assert sieve.holds('weighs "odd" "a"', require=require)
    assert not sieve.holds('weighs "a"', require=require)
    assert sieve.problems(f'{require} if weighs "ghost" {{ }}') == ["ghost 1:31 a ghost weighs nothing"]
    assert sieve.problems(f'{require} if weighs :over "a" {{ }}') == ["over-what 1:24 over what"]
    assert sieve.problems(f'{require} if weighs :grams 0 "a" {{ }}') == ["argument-invalid 1:38 nothing weighs 0"]
    assert places(sieve, f"{require} if weighs :grams {{ }}") == ["1:31-6 argument-type"]
    assert places(sieve, 'if weighs "a" { }') == ["1:4-6 word-unknown"]
    assert sieve.check('if weighs "a" { }').problems[0].hint == 'write: require "vnd.test";'
    outcome = sieve.run(f'{require} stamp "x";')
    assert [action.as_json()["action"] for action in outcome.actions] == ["stamp", "keep"]
    assert outcome.actions[0].as_json() == {
        "action": "stamp",
        "text": "x",
        "at": {"path": "test.sieve", "line": 1, "column": 21},
    }


def test_a_block_command_and_a_command_with_a_test(install: Install) -> None:
    ext = Extension("vnd.twice", "a test")

    @ext.command()
    class Twice(Word):
        test: Test
        body: Block

        def run(self, run: Run) -> None:
            for _ in range(2):
                if self.test.holds(run):
                    self.body.run(run)

    @ext.command()
    class Within(Word):
        depth: int = optional(1)
        body: Block

        def check(self, use: Use) -> None:
            outer = sum(isinstance(word, Within) for word in use.enclosing)
            if outer >= self.depth:
                use.complain(None, "too much within", rule="within")

        def run(self, run: Run) -> None:
            self.body.run(run)

    @ext.action()
    class Count(Word):
        def run(self, run: Run) -> None:
            seen = run.memory(list)
            seen.append(1)
            run.act(Action("count", (), details={"n": len(seen)}))

    sieve = install(ext)
    require = 'require "vnd.twice"; '
    outcome = sieve.run(f"{require} within {{ twice not false {{ count; }} count; }}")
    assert [action.details["n"] for action in outcome.actions] == [1, 2, 3]
    assert sieve.rules(f"{require} within {{ if true {{ within {{ }} }} }}") == ["within"]
    assert sieve.rules(f"{require} within 2 {{ if true {{ within 2 {{ }} }} }}") == []
    assert places(sieve, f"{require} twice {{ }}") == ["1:23-5 argument-type"]
    assert places(sieve, f"{require} within;") == ["1:23-6 argument-type"]
    assert places(sieve, f"{require} count {{ kep; }}") == ["1:23-5 argument-type", "1:31-3 word-unknown"]
    assert places(sieve, f"{require} count true {{ kep; }}") == ["1:29-4 argument-type", "1:36-3 word-unknown"]


def test_a_command_may_take_arguments_a_test_and_a_block(install: Install) -> None:
    ext = Extension("vnd.when", "a test")

    @ext.command()
    class When(Word):
        name: str
        test: Test
        body: Block

        def run(self, run: Run) -> None:
            if self.name == "go" and self.test.holds(run):
                self.body.run(run)

    sieve = install(ext)
    assert sieve.actions('require "vnd.when"; when "go" not false { discard; }') == ["discard"]
    assert sieve.actions('require "vnd.when"; when "no" true { discard; }') == ["implicit keep"]


def test_foreign_tags_on_an_action(install: Install) -> None:
    ext = Extension("vnd.tags", "a test")

    @dataclass
    class Note:
        order: str

        def amend(self, action: Action) -> Action:
            return replace(
                action, details={**action.details, "notes": f"{action.details.get('notes', '')}{self.order}"}
            )

    @ext.tag(":late", on=["keep", "redirect"], order=2)
    class Late(ForeignTag):
        text: str

        def amend(self, action: Action) -> Action:
            return Note(self.text).amend(action)

    @ext.tag(":early", on=["keep"], order=1)
    class Early(ForeignTag):
        def amend(self, action: Action) -> Action:
            return Note("e").amend(action)

    @ext.tag(":habit", on=["keep"], order=3)
    class Habit(ForeignTag):
        def amend(self, action: Action) -> Action:
            return Note("H").amend(action)

    @ext.amends(on=["keep"], unless=":habit")
    def habit(run: Run) -> Note:  # noqa: ARG001
        return Note("h")

    sieve = install(ext)

    def notes(script: str) -> list[Any]:
        return [action.details.get("notes") for action in sieve.run('require "vnd.tags";' + script).actions]

    assert notes('keep :late "l" :early;') == ["elh"]
    assert notes('keep :habit :early :late "x";') == ["exH"]
    assert notes('redirect :late "r" "a@example.com";') == ["r"]
    assert notes("keep;") == ["h"]
    assert notes("if false { stop; }") == ["h"]
    assert places(sieve, 'require "vnd.tags"; redirect :early "a@example.com";') == ["1:30-6 tag-unknown"]
    assert places(sieve, 'require "vnd.tags"; keep :late;') == ["1:26-5 argument-type"]


@dataclass(frozen=True)
class Reversed:
    """What another source gives, backwards."""

    source: Any

    def of(self, message: Any) -> list[str]:
        return [value.strip()[::-1] for value in self.source.of(message)]


def test_a_foreign_tag_on_what_a_test_looks_at(install: Install) -> None:
    ext = Extension("vnd.back", "a test")

    @ext.tag(":backwards", on=["header", "address"])
    class Backwards(ForeignTag):
        def amend(self, subject: Any) -> Any:
            return replace(subject, source=Reversed(subject.source))

    sieve = install(ext)
    message = "Subject: olleh\nFrom: moc.elpmaxe@ecila\n\n"
    assert sieve.holds('header :backwards "subject" "HELLO"', message, require='require "vnd.back";')
    assert sieve.holds('address :backwards :domain "from" "example.com"', message, require='require "vnd.back";')
    assert not sieve.holds('header "subject" "hello"', message, require='require "vnd.back";')
    assert sieve.rules('require "vnd.back"; if exists :backwards "a" { }') == ["tag-unknown"]


def test_a_match_type_a_comparator_and_an_address_part(install: Install) -> None:
    ext = Extension("vnd.choices", "a test")

    @ext.match_type(":ends")
    class Ends(MatchType):
        needs = "substring"
        with_: str

        def check_keys(self, word: Any, use: Use) -> None:
            if word.comparator.name == "x;first":
                use.complain("match", "no end", rule="no-end")

        def matcher(self, comparator: Any, keys: Sequence[str]) -> Matcher:
            fold = comparator.fold or str
            ends = tuple(fold(key + self.with_) for key in keys)
            return lambda values, run: any(value.endswith(ends) for value in values)  # noqa: ARG005

    @ext.comparator("x;first")
    class First(Comparator):
        ordering = octets = False

        @staticmethod
        def fold(text: str) -> str:
            return text[:1]

    @ext.address_part(":tld")
    class TopLevel(Choice):
        @staticmethod
        def part(address: Address) -> str | None:
            return address.domain and address.domain.rpartition(".")[2]

    @ext.test()
    class Says(MatchingValues):
        part: Any = choice("address_part", ":all")
        keys: Strings

        def values(self, run: Run) -> Sequence[str]:  # noqa: ARG002
            return ["one", "two"]

    sieve = install(ext)
    require = 'require "vnd.choices";'
    assert sieve.holds('header :ends "o" "subject" ["x", "hell"]', require=require)
    assert not sieve.holds('header :ends "p" "subject" ["x", "hell"]', require=require)
    assert sieve.holds('header :comparator "x;first" "subject" "Hurray"', require=require)
    assert not sieve.holds('header :comparator "x;first" "subject" "hello"', require=require)
    assert sieve.holds('address :tld "from" "ORG"', require=require)
    assert sieve.holds('says :tld :ends "O" ["tw"]', require=require)
    assert sieve.holds('says "TWO"', require=require)
    assert not sieve.holds('says :comparator "i;octet" "TWO"', require=require)
    script = f'{require} if header :ends "o" :comparator "x;first" "a" "b" {{ }}'
    assert sieve.problems(script) == ["no-end 1:34 no end"]
    assert places(sieve, f'{require} if header :ends ["a"] "b" "c" {{ }}')[0] == "1:40-5 argument-type"


def test_a_foreign_choice_says_which_capability_has_it(install: Install, sieve: Sieve) -> None:
    ext = Extension("vnd.where", "a test")

    @ext.address_part(":tld")
    class TopLevel(Choice):
        @staticmethod
        def part(address: Address) -> str | None:
            return address.domain

    sieve = install(ext)
    (problem,) = sieve.check('if address :tld "from" "org" { }').problems
    assert (problem.rule, problem.hint) == ("tag-unknown", 'write: require "vnd.where";')


@dataclass
class Later:
    """A template: the subject of the message, when it is known."""

    what: str

    def expand(self, run: Run) -> str:
        return str(run.message.fields["subject"][0]).strip() if self.what == "subject" else f"<{self.what}>"


def readers() -> tuple[Extension, Extension]:
    """Two readers: the first turns !x! into %x%, the second takes %x% for a template."""
    first, second = Extension("vnd.first", "a test"), Extension("vnd.second", "a test")

    @second.reader(order=20)
    class Second:
        def read(self, text: str, use: Use, span: Span) -> Any:
            pieces = text.split("%")
            if len(pieces) % 2 == 0:
                use.complain(span, "a % too many", rule="percent")
                return text
            return [piece if i % 2 == 0 else Later(piece) for i, piece in enumerate(pieces)]

    @first.reader(order=10)
    class First:
        def read(self, text: str, use: Use, span: Span) -> str:  # noqa: ARG002
            return text.replace("!", "%")

    return first, second


def test_readers_come_in_their_order_and_words_see_plain_strings(install: Install) -> None:
    first, second = readers()
    ext = Extension("vnd.show", "a test")

    @ext.action()
    class Show(Acting):
        text: str

        def check(self, use: Use) -> None:
            for given in use.strings("text"):
                assert isinstance(given, Given)
                if given.value == "bad":
                    use.complain(given, "bad", rule="bad")
            if self.text == "constant":
                use.constants("text")

        def make_action(self) -> Action:
            return Action("show", (), details={"text": self.text})

    @ext.action()
    class Constant(Word):
        texts: Strings

        def check(self, use: Use) -> None:
            use.constants("texts")

        def run(self, run: Run) -> None: ...

    sieve = install(ext, first, second)

    def shows(capabilities: str, text: str) -> Any:
        return sieve.run(f'require ["vnd.show", {capabilities}]; show "{text}";').actions[0].details["text"]

    assert shows('"vnd.second", "vnd.first"', "a !subject! b %x%") == "a Hello b <x>"
    assert shows('"vnd.first"', "a !subject!") == "a %subject%"
    assert shows('"vnd.second"', "a !%subject%") == "a !Hello"
    assert sieve.rules('require ["vnd.show", "vnd.second"]; show "a%";') == ["percent"]
    assert sieve.rules('require ["vnd.show", "vnd.second"]; show "bad"; show "bad%x%";') == ["bad"]
    assert sieve.rules('require ["vnd.show", "vnd.second"]; constant "a"; constant ["a", "%x%"];') == [
        "argument-not-constant"
    ]


def test_a_test_with_templates_is_prepared_when_it_is_met(install: Install) -> None:
    _, second = readers()
    sieve = install(second)
    require = 'require "vnd.second";'
    assert sieve.holds('header "subject" ["x", "%subject%"]', require=require)
    assert not sieve.holds('header :contains "subject" "%x%"', require=require)
    assert sieve.holds('anyof (false, not header :matches "subject" "%x%*")', require=require)
    assert sieve.actions(f'{require} redirect "%subject%@example.com";') == ["redirect Hello@example.com"]
    assert sieve.actions(f'{require} redirect "%x%@example.com";') == [
        "implicit keep",
        "fault: not a valid email address",
    ]


def test_a_tag_with_templates(install: Install) -> None:
    _, second = readers()
    ext = Extension("vnd.noted", "a test")

    @ext.tag(":note", on=["keep"])
    class NoteTag(ForeignTag):
        text: str

        def amend(self, action: Action) -> Action:
            return replace(action, details={"note": self.text})

    sieve = install(ext, second)
    outcome = sieve.run('require ["vnd.noted", "vnd.second"]; keep :note "a %subject%";')
    assert outcome.actions[0].details == {"note": "a Hello"}


def test_a_reader_of_a_dialect_is_there_in_that_dialect_only(install: Install) -> None:
    ext = Extension("vnd.dialect", "a test")

    @ext.reader(order=1, dialect="siv")
    class Upper:
        def read(self, text: str, use: Use, span: Span) -> str:  # noqa: ARG002
            return text.upper()

    @ext.action()
    class Show(Acting):
        text: str

        def make_action(self) -> Action:
            return Action("show", (), details={"text": self.text})

    sieve = install(ext)
    assert sieve.run('require "vnd.dialect"; show "a";').actions[0].details == {"text": "a"}
    assert sieve.run('show "a";', dialect="siv").actions[0].details == {"text": "A"}
    assert sieve.rules('show "a";') == ["word-unknown"]


def test_a_namespace(install: Install) -> None:
    ext = Extension("vnd.space", "a test")

    @ext.namespace("Box")
    class Box(Namespace):
        def value(self, run: Run, rest: str) -> str:
            return f"{rest} of {run.envelope.recipient}"

    @ext.reader(order=1)
    class Boxes:
        def read(self, text: str, use: Use, span: Span) -> Any:
            name, dot, rest = text.partition(".")
            if not dot:
                return text
            made = use.namespace(name)
            if made is None:
                use.complain(span, "no such box", use.lacking("namespace", name), rule="box")
                return text
            return InBox(made(), rest)

    @dataclass
    class InBox:
        box: Any
        rest: str

        def expand(self, run: Run) -> str:
            return str(self.box.value(run, self.rest))

    @ext.action()
    class Show(Acting):
        text: str

        def make_action(self) -> Action:
            return Action("show", (), details={"text": self.text})

    sieve = install(ext)
    assert sieve.run('require "vnd.space"; show "box.x";').actions[0].details == {"text": "x of alice@example.com"}
    assert sieve.rules('require "vnd.space"; show "bax.x";') == ["box"]


def test_a_family_has_a_word_for_each_name_of_the_host(install: Install) -> None:
    ext = Extension("vnd.family", "a test")

    @ext.family("{}_wipe", of="engines")
    class Wipe(Acting):
        """wipe by an engine."""

        member = ""

        def make_action(self) -> Action:
            return Action("wipe", (), details={"by": self.member})

    @ext.test()
    class Known(Word):
        def check(self, use: Use) -> None:
            assert use.names("engines") == ("yara", "My-Clam")
            assert use.names("others") is None

        def holds(self, run: Run) -> bool:  # noqa: ARG002
            return True

    sieve = install(ext)
    engines = ("yara", "My-Clam")
    outcome = sieve.run('require "vnd.family"; if known { yara_wipe; my_clam_wipe; }', engines=engines)
    assert [action.details["by"] for action in outcome.actions] == ["yara", "My-Clam"]
    assert sieve.rules('require "vnd.family"; clamav_wipe;', engines=engines) == ["word-unknown"]
    (problem,) = sieve.check("yara_wipe;", engines=engines).problems
    assert problem.hint == 'write: require "vnd.family";'
    assert sieve.rules('require "vnd.family"; yara_wipe;', engines=engines, phase="connect") == ["phase-invalid"]


def test_a_capability_of_a_later_version(install: Install) -> None:
    (problem,) = install().check('require "vnd.later";').problems
    assert problem.rule == "require-unknown"
    assert problem.message == 'extension "vnd.later" is not supported in this version'


def test_settings(install: Install) -> None:
    ext = Extension("vnd.set", "a test")
    ext.setting(Option("colour", TEXT, "red", "what colour"))
    ext.setting(Option("size", INTEGER, 3, "how large"))

    @ext.action()
    class Paint(Word):
        def check(self, use: Use) -> None:
            if use.setting("vnd.set", "size") > 9:
                use.complain(None, "too large", rule="large")

        def run(self, run: Run) -> None:
            run.act(Action("paint", (), details=dict(self.settings)))

    sieve = install(ext)
    script = 'require "vnd.set"; paint;'
    assert sieve.run(script).actions[0].details == {"colour": "red", "size": 3}
    blue = {"vnd.set": {"colour": "blue"}}
    outcome = sieve.run(script, settings=blue)
    assert outcome.actions[0].details == {"colour": "blue", "size": 3}
    (word,) = steps_of(sieve.program(script, settings=blue).block)
    blue["vnd.set"]["colour"] = "green"  # the mapping is the host's, who may change it after the script was checked
    assert word.settings["colour"] == "green"
    assert sieve.rules(script, settings={"vnd.set": {"size": 10}}) == ["large"]


def test_phases_of_words(install: Install, accepted: Accepted) -> None:
    ext = Extension("vnd.phases", "a test")

    @ext.test(phases=["connect", "data"])
    class Early(Word):
        def check(self, use: Use) -> None:
            assert use.phase in ("connect", "data", "each_rcpt")

        def holds(self, run: Run) -> bool:  # noqa: ARG002
            return True

    @ext.action(phases=OF_A_MESSAGE)
    class Always(Word):
        def run(self, run: Run) -> None: ...

    @ext.action(phases=OF_A_RECIPIENT)
    class Once(Word):
        def run(self, run: Run) -> None: ...

    sieve = install(ext)
    script = 'require "vnd.phases"; if early { always; once; }'
    assert places(sieve, script, phase="connect") == ["1:34-6 phase-invalid", "1:42-4 phase-invalid"]
    assert places(sieve, script, phase="data") == ["1:42-4 phase-invalid"]
    assert places(sieve, script) == ["1:26-5 phase-invalid"]
    accepted(p.message for phase in ("connect", "data") for p in sieve.check(script, phase=phase).problems)


def test_what_comes_with_another(install: Install) -> None:
    little, great = (
        Extension("vnd.little", "a test"),
        Extension("vnd.great", "a test", implies=["vnd.little", "vnd.none"]),
    )

    @little.test()
    class Small(Word):
        def check(self, use: Use) -> None:
            use.complain(None, f"{use.requires('vnd.little')} {use.requires('vnd.great')}", severity=Severity.ADVICE)

        def holds(self, run: Run) -> bool:  # noqa: ARG002
            return True

    sieve = install(little, great)
    unknown, learnt = sieve.check('require "vnd.great"; if small { }').problems
    assert (unknown.rule, learnt.message) == ("require-unknown", "True True")
    great.implies = ("vnd.little",)
    assert sieve.program('require "vnd.great"; if small { }').capabilities == {"vnd.great", "vnd.little"}
    assert sieve.problems('require "vnd.little"; if small { }') == ["argument-invalid 1:26 True False"]


def test_memory_of_a_run_and_of_a_script(install: Install) -> None:
    ext = Extension("vnd.memory", "a test")

    class Seen(list[int]):
        pass

    class Written(list[int]):
        pass

    @ext.action()
    class Once(Word):
        def check(self, use: Use) -> None:
            written = use.memory(Written)
            written.append(1)
            if len(written) > 2:
                use.complain(None, f"{len(written)} times", rule="often", severity=Severity.WARNING)

        def run(self, run: Run) -> None:
            seen = run.memory(Seen)
            seen.append(1)
            run.act(Action("once", (), details={"n": len(seen)}))

    sieve = install(ext)
    for _ in range(2):  # a memory is of one run, and of one script
        outcome = sieve.run('require "vnd.memory"; once; once; once;')
        assert [action.details["n"] for action in outcome.actions] == [1, 2, 3]
        assert sieve.rules('require "vnd.memory"; once; once; once;') == ["often"]


def test_marks_are_read_when_the_whole_script_is_known(install: Install) -> None:
    ext = Extension("vnd.marks", "a test")

    @ext.test()
    class Marked(Word):
        found: bool = derived()

        def prepare(self) -> None:
            self.found = "here" in self.marks

        def holds(self, run: Run) -> bool:  # noqa: ARG002
            return self.found

    @ext.command()
    class Marking(Word):
        def check(self, use: Use) -> None:
            use.mark("here")

        def run(self, run: Run) -> None: ...

    sieve = install(ext)
    require = 'require "vnd.marks";'
    assert sieve.actions(f"{require} if marked {{ discard; }} marking;") == ["discard"]
    assert sieve.actions(f"{require} if marked {{ discard; }}") == ["implicit keep"]


def test_conflicts_are_a_fault_whichever_comes_first(install: Install) -> None:
    ext = Extension("vnd.alone", "a test")

    @ext.action()
    class Alone(Acting):
        def make_action(self) -> Action:
            return Action("alone", (Store("a"),), conflicts=frozenset({"alone", "redirect"}))

    sieve = install(ext)
    require = 'require "vnd.alone";'
    fault = "fault: {} conflicts with {}"
    assert sieve.actions(f"{require} alone; alone;") == ["implicit keep", fault.format("alone", "alone")]
    redirect = 'redirect "a@example.com";'
    assert sieve.actions(f"{require} alone; {redirect}") == ["implicit keep", fault.format("redirect", "alone")]
    assert sieve.actions(f"{require} {redirect} alone;") == ["implicit keep", fault.format("alone", "redirect")]
    assert sieve.actions(f"{require} alone; keep;") == ["alone a", "keep"]


def test_a_test_that_builds_on_matching(install: Install) -> None:
    ext = Extension("vnd.matching", "a test")

    @dataclass(frozen=True)
    class Length(Subject):
        fold: Any

        def of(self, message: Any) -> tuple[str, ...]:
            text = f"L{message.size}"
            return (text if self.fold is None else self.fold(text),)

    @ext.test()
    class Long(Matching):
        keys: Strings

        def subject_for(self, fold: Any) -> Length:
            return Length(fold)

    sieve = install(ext)
    assert sieve.holds('long :matches "l?4"', "x" * 14, require='require "vnd.matching";')
    assert not sieve.holds('long :comparator "i;octet" :matches "l?4"', "x" * 14, require='require "vnd.matching";')


def test_problems_are_values() -> None:
    assert Problem("a", "b", Span(0, 1)) == Problem("a", "b", Span(0, 1))
