"""External lists of a site: the stanza `list`, the files, and the answers to scripts."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from support.accepting import Accepted
from support.sites import Decide, MakeSite, Show

from sieveav.frontends.testing import run_file
from sieveav.running.questions import Listed, Members
from sieveav.site import lists
from sieveav.site.lists import Lists, MemberList, members_in
from sieveav.site.site import Refused
from sieveav.site.stanzas.list import LISTS

NAME = "tag:x.example,2024:family"
CONFIG = f'list "{NAME}" {{ file = "family.txt" }} users {{ scripts = "u.sieve" }}'
SCRIPT = f'require ["extlists", "envelope"]; if envelope :list "from" "{NAME}" {{ discard; }}'


# ---- files


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("", []),
        ("a@example.com\nb@example.com", ["a@example.com", "b@example.com"]),
        ("a\r\n\r\n  b c\t \n", ["a", "b c"]),
        ("# a comment\n  # another\na#b\na # b\n#\n", ["a#b", "a # b"]),
        ("\ufeffa\n", ["a"]),
        ("\ufeff# a comment\n", []),
        ("a\x0bb\x0cc\x1cd\x85e\u2028f\n", ["a\x0bb\x0cc\x1cd\x85e\u2028f"]),
    ],
)
def test_a_member_on_a_line(text: str, members: list[str]) -> None:
    assert members_in(text) == members


def test_what_is_in_a_list() -> None:
    made = MemberList(["b", "Ann@Example.com", "b", "Ä"])
    assert made.members == ("b", "Ann@Example.com", "Ä")
    assert made.has_any(["x", "aNN@example.COM"])
    assert made.has_any(["Ä"])
    assert not made.has_any(["ä", "Ann", ""])
    assert not made.has_any([])


def test_answers() -> None:
    made = {"a": MemberList(["x"]), "b": MemberList([])}
    answers = lists.answers(made.get)
    assert [answers[Listed](Listed(name, ("x", "y"))) for name in "abc"] == [True, False, None]
    assert [answers[Listed](Listed(name)) for name in "abc"] == [True, True, None]
    assert [answers[Members](Members(name)) for name in "abc"] == [("x",), (), None]


def test_a_file_is_read_once_for_each_change(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\n")
    made = Lists({"a": path})
    first = made.find("a")
    assert first is not None
    assert made.find("a") is first
    path.write_text("one\ntwo\n")
    second = made.find("a")
    assert second is not None
    assert second.members == ("one", "two")
    status = path.stat()
    path.write_text("one\nsix\n")  # as long as before
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    third = made.find("a")
    assert third is not None
    assert third.members == ("one", "six")


@pytest.mark.parametrize(
    ("what", "logged"),
    [("missing", "No such file or directory"), ("folder", "not a regular file"), ("pipe", "not a regular file"),
     ("large", "larger than 4 MiB")],
)  # fmt: skip
def test_a_file_that_cannot_be_read(tmp_path: Path, caplog: Any, what: str, logged: str) -> None:
    path = tmp_path / "a.txt"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "large":
        path.write_bytes(b"a\n" * (2 * 1024 * 1024) + b"a")
    with caplog.at_level(logging.ERROR):
        assert Lists({"a": path}).find("a") is None
    assert caplog.messages == [f"list a: {path}: {logged}"]


def test_the_largest_file_and_one_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\n" * (2 * 1024 * 1024 - 2) + b"\xff\nb\n")
    made = Lists({"a": path}).find("a")
    assert made is not None
    assert made.members == ("a", "\ufffd", "b")


def test_an_unknown_list_is_no_error(caplog: Any) -> None:
    assert Lists({}).find("a") is None
    assert caplog.messages == []


# ---- scripts of the site


def test_scripts_ask_the_lists_of_the_site(site: MakeSite, decided: Decide, shown: Show) -> None:
    made = site(CONFIG, {"u.sieve": SCRIPT, "family.txt": "# my family\nBob@example.org\n"})
    assert shown(decided(made)) == ["alice discard"]
    assert shown(decided(made, sender="eve@example.org")) == ["alice implicit keep"]
    assert shown(decided(made, sender="")) == ["alice implicit keep"]


def test_for_every_recipient_and_in_the_data_phase(site: MakeSite, decided: Decide, shown: Show) -> None:
    config = f'{CONFIG} sieve "s" {{ script "data_phase1" {{ source = "d.sieve" }} }}'
    scripts = {"u.sieve": SCRIPT, "d.sieve": SCRIPT.replace("discard", "keep"), "family.txt": "bob@example.org"}
    made = site(config, scripts)
    assert shown(decided(made, "a@x.example", "b@x.example")) == ["a discard", "b discard"]


def test_a_list_is_what_its_file_says_now(site: MakeSite, decided: Decide, shown: Show, tmp_path: Path) -> None:
    made = site(CONFIG, {"u.sieve": SCRIPT, "family.txt": ""})
    assert shown(decided(made)) == ["alice implicit keep"]
    (tmp_path / "family.txt").write_text("bob@example.org")
    assert shown(decided(made)) == ["alice discard"]


def test_redirect_to_a_list_of_the_site(site: MakeSite, decided: Decide, shown: Show) -> None:
    script = f'require "extlists"; redirect :list "{NAME}";'
    made = site(CONFIG, {"u.sieve": script, "family.txt": "a@x.example\nb@x.example\nA@X.EXAMPLE\n"})
    sent = ["a@x.example", "b@x.example", "A@X.EXAMPLE"]  # local parts of another case are others
    assert shown(decided(made)) == [f"alice redirect {address}" for address in sent]


def test_a_short_name_in_the_stanza(site: MakeSite, decided: Decide, shown: Show) -> None:
    config = 'list ":addrbook:default" { file = "family.txt" } users { scripts = "u.sieve" }'
    script = SCRIPT.replace(NAME, "urn:ietf:params:sieve:addrbook:default")
    assert shown(decided(site(config, {"u.sieve": script, "family.txt": "bob@example.org"}))) == ["alice discard"]


def test_a_list_that_cannot_be_read_loses_no_mail(
    site: MakeSite, decided: Decide, shown: Show, tmp_path: Path, caplog: Any
) -> None:
    """A user's script keeps, a policy defers."""
    made = site(CONFIG, {"u.sieve": SCRIPT, "family.txt": ""})
    (tmp_path / "family.txt").unlink()
    decision = decided(made)
    assert shown(decision) == ["alice implicit keep"]
    fault = decision.recipients[0].outcome.fault
    assert fault is not None
    assert fault.message == f'list "{NAME}" does not exist or cannot be read'
    assert f"list {NAME}: {tmp_path / 'family.txt'}: No such file or directory" in caplog.messages
    made = site(CONFIG.replace("scripts", "before"), {"family.txt": ""})
    (tmp_path / "family.txt").unlink()
    response = decided(made).recipients[0].response
    assert response is not None
    assert response.code == 451


# ---- the configuration


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        (f'list "{NAME}" {{ file = "none.txt" }}', "value-invalid"),
        (f'list "{NAME}" {{ file = "folder" }}', "value-invalid"),
        (f'list "{NAME}" {{ file = "" }}', "value-invalid"),
        (f'list "{NAME}" {{}}', "option-missing"),
        ('list { file = "a.txt" }', "stanza-name"),
        ('list "family" { file = "a.txt" }', "value-invalid"),
        (f'list "{NAME}" {{ file = "a.txt" members = "a" }}', "option-unknown"),
        (f'list "{NAME}" {{ file = ("a.txt" "a.txt") }}', "value-invalid"),
        (f'sieve "s" {{ list "{NAME}" {{ file = "a.txt" }} }}', "stanza-misplaced"),
    ],
)
def test_problems(site: MakeSite, tmp_path: Path, accepted: Accepted, config: str, rule: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(Refused) as refused:
        site(config, {"a.txt": ""})
    assert [problem.rule for problem in refused.value.problems] == [rule]
    accepted(str(refused.value).replace(str(tmp_path), "FOLDER"))


@pytest.mark.parametrize("second", [NAME, NAME.replace("tag", "TAG")])
def test_a_second_list_of_the_same_name(site: MakeSite, second: str) -> None:
    with pytest.raises(Refused) as refused:
        site(f'list "{NAME}" {{ file = "a.txt" }} list "{second}" {{ file = "a.txt" }}', {"a.txt": ""})
    assert [problem.rule for problem in refused.value.problems] == ["stanza-repeated"]


def test_what_is_configured(site: MakeSite, tmp_path: Path) -> None:
    config = f'list "{NAME}" {{ file = "a.txt" }} list "LDAP://h/" {{ file = "b.txt" }}'
    made = site(config, {"a.txt": "", "b.txt": ""})
    assert made.settings[LISTS] == {NAME: tmp_path / "a.txt", "ldap://h/": tmp_path / "b.txt"}


# ---- tests of scripts

TESTS = """require ["vnd.dovecot.testsuite", "vnd.sieveav.testsuite", "extlists"];
test "a list of the site" {
    if not address :list "from" "tag:x.example,2024:family" { test_fail "not asked"; }
    test_run "u.sieve";
    if not test_result_action "discard" { test_fail "not asked by a script"; }
}
test "one that is arranged" {
    test_list "tag:x.example,2024:family" "eve@example.com";
    if address :list "from" "tag:x.example,2024:family" { test_fail "the site's own"; }
    test_run "u.sieve";
    if test_result_action "discard" { test_fail "the site's own, by a script"; }
}
"""


def test_a_test_file_asks_the_lists_of_the_site(tmp_path: Path) -> None:
    files = {
        "site.conf": f'list "{NAME}" {{ file = "family.txt" }}',
        "family.txt": "sender@example.com",
        "u.sieve": SCRIPT,
        "a.svtest": TESTS,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    result = run_file(str(tmp_path / "a.svtest"), str(tmp_path / "site.conf"), "")
    assert [(test.name, test.reason) for test in result.tests] == [
        ("a list of the site", ""),
        ("one that is arranged", ""),
    ]
