"""variables, RFC 5229."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.outcomes import effects, only
from support.sieve import Sieve

from sieveav import limits
from sieveav.running.effects import Store
from sieveav.running.variables import Variables

References: Any = import_module("sieveav.extensions.variables").References

V = 'require ["variables", "fileinto"]; '


def text(sieve: Sieve, script: str, shown: str, **more: Any) -> str:
    """The string `shown` after `script`, read from a mailbox name."""
    outcome = sieve.run(f'{V} {script} fileinto "[{shown}]";', **more)
    return str(only(effects(outcome, Store)).mailbox)[1:-1]


# ---- 3: strings


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("&%${}!", "&%${}!"),  # the RFC's examples
        ("${doh!}", "${doh!}"),
        ("${full}", ""),
        ("${company}", "ACME"),
        ("${BAD${Company}", "${BADACME"),
        ("${President, ${Company} Inc.}", "${President, ACME Inc.}"),
        ("${COMPANY}", "ACME"),
        ("${company", "${company"),
        ("${company}${company}", "ACMEACME"),
        ("$company {company} ${ company}", "$company {company} ${ company}"),
        ("${1a}", "${1a}"),
        ("${a.}", "${a.}"),
        ("${.a}", "${.a}"),
        ("${1.a}", "${1.a}"),
        ("${comé}", "${comé}"),
        ("$${company}", "$ACME"),
        ("$${company}}", "$ACME}"),
        ("${_x9}", ""),
    ],
)
def test_references(sieve: Sieve, written: str, meant: str) -> None:
    assert text(sieve, 'set "company" "ACME";', written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"${fo\o}", "value"),
        (r"${fo\\o}", r"${fo\o}"),
        (r"\${foo}", "value"),
        (r"\\${foo}", r"\value"),
        ("${dollar}{foo}", "${foo}"),  # one pass
    ],
)
def test_quoting_comes_first(sieve: Sieve, written: str, meant: str) -> None:
    assert text(sieve, 'set "foo" "value"; set "dollar" "$";', written) == meant


def test_encoded_characters_come_before_variables(sieve: Sieve) -> None:
    script = """require ["encoded-character", "variables"];
        set "name" "Ethelbert";
        if string "dear${hex:20 24 7b 4e}ame}" "dear Ethelbert" { discard; }"""
    assert sieve.actions(script) == ["discard"]


def test_the_value_at_that_time(sieve: Sieve) -> None:
    script = V + 'set "a" "x"; fileinto "${a}"; set "a" "y"; fileinto "${a}";'
    assert sieve.actions(script) == ["fileinto x", "fileinto y"]


def test_strings_stay_as_they_are_without_require(sieve: Sieve) -> None:
    assert sieve.actions('require "fileinto"; fileinto "${a}";') == ["fileinto ${a}"]


def test_lists_and_tags_take_references(sieve: Sieve) -> None:
    script = V + 'set "s" "Hel"; if header :comparator "i;octet" :contains ["${none}x", "${s}"] ["zz", "${s}l"] {} '
    assert sieve.rules(script) == []
    assert sieve.holds(
        'header :contains ["X", "${f}ject"] ["zz", "${s}l"]', require=V + 'set "s" "Hel"; set "f" "sub";'
    )


def test_every_run_begins_without_variables(sieve: Sieve) -> None:
    script = V + 'if string "${a}" "" { set "a" "x"; fileinto "first"; }'
    assert sieve.actions(script) == sieve.actions(script) == ["fileinto first"]


def test_a_huge_string_is_bounded(sieve: Sieve) -> None:
    script = f'set "a" "{"x" * 4096}"; set :length "n" "{"${a}" * 300}";'
    assert text(sieve, script, "${n}") == str(limits.STRING_SIZE)


# ---- 3: namespaces


@pytest.mark.parametrize(
    ("string", "rule"),
    [
        ("${nosuch.a}", "namespace-unknown"),
        ("${vctx.a}", "namespace-unknown"),  # installed, but not required
        ("${33}", "match-variable-range"),
        ("${" + "9" * 5000 + "}", "match-variable-range"),
    ],
)
def test_references_that_are_errors(sieve: Sieve, string: str, rule: str) -> None:
    assert sieve.rules(f'{V} redirect "{string}";') == [rule]


def test_the_hint_says_what_to_require(sieve: Sieve) -> None:
    (problem,) = sieve.check(V + 'fileinto "${vctx.a}";').problems
    assert problem.hint == 'write: require "vctx";'


def test_namespaces(sieve: Sieve) -> None:
    script = 'require ["variables", "fileinto", "vctx"]; vctx_mess_set "a" "b"; fileinto "${vctx.a}${vctx.none}x";'
    assert sieve.actions(script) == ["fileinto bx"]


# ---- 3.2: match variables

SUBJECT = "acme-users] [fwd] version 1.0 is out"
LIST = f"""List-ID: The List <foo.lists.acme.example@ietf.example>
To: coyote@ACME.Example.COM
Subject: [{SUBJECT}

"""


@pytest.mark.parametrize(
    ("script", "shown", "meant"),
    [
        ('if header :matches "List-ID" "*<*@*" {}', "${2}", "foo.lists.acme.example"),
        ('if header :matches "Subject" "[*] *" {}', "${1}|${2}", "acme-users|[fwd] version 1.0 is out"),
        ('if address :matches ["To", "Cc"] ["coyote@**.com", "wile@**.com"] {}', "${0}", "coyote@ACME.Example.COM"),
        ('if address :matches ["To", "Cc"] ["coyote@**.com", "wile@**.com"] {}', "${1}|${2}", "|ACME.Example"),
        ('if anyof (true, address :domain :matches "To" "*.com") {}', "${0}${1}", ""),
        ('if header :matches "Subject" "[*" {} if header :matches "Subject" "no*" {}', "${0001}", SUBJECT),
        ('if header :matches "Subject" "[*" {}', "${2}${32}", ""),
        ('if string :matches "abc" "a?c" {}', "${0}${1}", "abcb"),
        ('if header :matches "Subject" "[*" {} if string :is "a" "a" {}', "${1}", SUBJECT),
        ('if not header :matches "Subject" "[*" {}', "${1}", SUBJECT),
    ],
)
def test_match_variables(sieve: Sieve, script: str, shown: str, meant: str) -> None:
    assert text(sieve, script, shown, message=LIST) == meant


def test_no_match_variable_from_a_failed_test(sieve: Sieve) -> None:
    script = 'if address :matches "To" "*@nowhere" {} '
    assert text(sieve, script, "${0}${1}", message=LIST) == ""


# ---- 4: set


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('set "1" "a";', "variable-name"),
        ('set "" "a";', "variable-name"),
        ('set "a b" "a";', "variable-name"),
        ('set "ü" "a";', "variable-name"),
        ('set "a\n" "a";', "variable-name"),
        ('set "a.b" "a";', "variable-name"),
        ('set "vctx.b" "a";', "variable-name"),
        ('set "${a}" "a";', "argument-not-constant"),
        (f'set "{"a" * 65}" "a";', "variable-name"),
        (f'set "a" "{"x" * 4097}";', "value-too-long"),
        (f'set :quotewildcard "a" "{"*" * 2049}";', "value-too-long"),
        ('set :lower :upper "a" "b";', "modifier-conflict"),
        ('set :lower :lower "a" "b";', "tag-repeated"),
        ('set :upperfirst :lowerfirst "a" "b";', "modifier-conflict"),
        ('set :nosuch "a" "b";', "tag-unknown"),
        ('set "a";', "argument-missing"),
        ('set "a" ["b"];', "argument-type"),
    ],
)
def test_set_errors(sieve: Sieve, line: str, rule: str) -> None:
    assert sieve.rules(V + line)[0] == rule


@pytest.mark.parametrize(
    "line",
    [f'set "{"a" * 64}" "a";', f'set "a" "{"x" * 4096}";', f'set :length "a" "{"x" * 9000}";', 'set "_" "";'],
)
def test_set_allows(sieve: Sieve, line: str) -> None:
    assert sieve.problems(V + line) == []


@pytest.mark.parametrize(("count", "rules"), [(limits.VARIABLES, []), (limits.VARIABLES + 9, ["variables-too-many"])])
def test_variables_are_limited(sieve: Sieve, count: int, rules: list[str]) -> None:
    lines = "".join(f'set "v{i}" "x"; set "V{i}" "y"; ' for i in range(count))
    assert sieve.rules(V + lines) == rules


def test_set_leaves_the_implicit_keep(sieve: Sieve) -> None:
    assert sieve.actions(V + 'set "a" "b";') == ["implicit keep"]


@pytest.mark.parametrize("phase", ["connect", "data", "each_rcpt"])
def test_set_is_allowed_in_every_phase(sieve: Sieve, phase: str) -> None:
    assert sieve.problems('require "variables"; set "a" "b"; if string "${a}" "b" { stop; }', phase=phase) == []


def test_multi_line_example(sieve: Sieve) -> None:
    script = """require "variables";
        set "honorific"  "Mr";
        set "first_name" "Wile";
        set "last_name"  "Coyote";
        set "vacation" text:
Dear ${HONORIFIC} ${last_name},
I'm out, please leave a message after the meep.
.
;
        if string :contains "${vacation}" "Dear Mr Coyote," { discard; }"""
    assert sieve.actions(script) == ["discard"]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ('set "b" "${a}";', "juMBlEd lETteRS"),  # the RFC's examples
        ('set :length "b" "${a}";', "15"),
        ('set :lower "b" "${a}";', "jumbled letters"),
        ('set :upperfirst "b" "${a}";', "JuMBlEd lETteRS"),
        ('set :upperfirst :lower "b" "${a}";', "Jumbled letters"),
        ('set :lower :upperfirst "b" "${a}";', "Jumbled letters"),
        ('set :quotewildcard "b" "Rock*";', r"Rock\*"),
        ('set :UPPER "b" "äaß";', "äAß"),
        ('set :lower "b" "ÄA";', "Äa"),
        ('set :upper :lowerfirst "b" "ab";', "aB"),
        ('set :lowerfirst "b" "";', ""),
        ('set :length :quotewildcard "b" "a*?\\\\b";', "8"),
        ('set :length "b" "é\U0001f600";', "2"),
        ('set :quotewildcard :upper :lowerfirst "b" "*ab";', r"\*AB"),
        ('set "b" "1"; set "b" "${b}2";', "12"),
    ],
)
def test_modifiers(sieve: Sieve, line: str, meant: str) -> None:
    assert text(sieve, f'set "a" "juMBlEd lETteRS"; {line}', "${b}") == meant


def test_a_long_value_is_truncated(sieve: Sieve) -> None:
    script = f'set "a" "{"é" * 4096}"; set "b" "x${{a}}"; set :length "n" "${{b}}"; set :length "m" "${{a}}";'
    assert text(sieve, script, "${n} ${m}") == "4096 4096"  # characters, RFC 5229, 6, not octets


@pytest.mark.parametrize(
    ("before", "last", "kept"),
    [
        (4095, "*", ""),  # \\* would be cut in two
        (4094, "*", "\\*"),
        (4095, "\\", ""),
        (4094, "\\", "\\\\"),
        (4093, "\\*", "\\\\"),
        (4096, "*", ""),
    ],
)
def test_a_value_is_not_truncated_within_an_escape(sieve: Sieve, before: int, last: str, kept: str) -> None:
    """RFC 5229, 6: half an escape would escape the next character of a pattern."""
    written = last.replace("\\", "\\\\")
    wanted = "x" * before + kept.replace("\\", "\\\\")
    script = f'set "a" "{"x" * before}"; set "z" "{written}"; set :quotewildcard "b" "${{a}}${{z}}";'
    assert sieve.holds(f'string "${{b}}" "{wanted}"', require=f'require "variables"; {script}')


@given(st.text(alphabet="${}.ab01_ \\é", max_size=40))
def test_any_string_is_read(written: str) -> None:
    class Use:
        def namespace(self, name: str) -> None: ...
        def lacking(self, seam: str, name: str) -> str:  # noqa: ARG002
            return ""

        def complain(self, *_: object, **__: object) -> None: ...
        def mark(self, key: str) -> None: ...

    class Run:
        variables = Variables(a="${b}", b="x")
        match_values = ()

    read = References().read(written, Use(), None)
    pieces = [read] if isinstance(read, str) else read
    assert all(isinstance(piece, str) or isinstance(piece.expand(Run()), str) for piece in pieces)
    if "${" not in written or "}" not in written:
        assert read == written


# ---- 5: string


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ('string "a" "A"', True),
        ('string :comparator "i;octet" "a" "A"', False),
        ('string " a " "a"', False),  # white space stays
        ('string ["x", "a"] ["b", "a"]', True),
        ('string :matches " ${state} " "* pending *"', True),
        ('string "" ""', True),
        ('string :count "eq" ["", "a", "${none}"] "1"', True),
        ('string :count "eq" "" "0"', True),
        ('string :value "gt" "b" "a"', True),
    ],
)
def test_string(sieve: Sieve, test: str, holds: bool) -> None:
    require = 'require ["variables", "relational", "comparator-i;ascii-numeric"]; set "state" "${state} pending";'
    assert sieve.holds(test, require=require) is holds


def test_every_word_is_unknown_without_require(sieve: Sieve) -> None:
    assert sieve.rules('set "a" "b"; if string "a" "a" { stop; }') == ["word-unknown", "word-unknown"]
