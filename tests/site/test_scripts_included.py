"""Scripts that scripts ask for by name: whose they are, and that no name leaves its folder."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from support.sites import Decide, MakeSite, Show

from sieveav.frontends.cli import main
from sieveav.language.checking import Checked, check
from sieveav.language.vocabulary import Vocabulary
from sieveav.running.questions import Script
from sieveav.site.deciding import DEFERRED
from sieveav.site.site import Site
from sieveav.site.transaction import Decision
from sieveav.site.users import Users, named_script

INCLUDE = 'require ["include", "fileinto", "variables"];\n'


COUNT = INCLUDE + 'set "global.n" "${global.n}x"; include :once "%s"; if string "${global.n}" "x" { fileinto "Once"; }'
"""A script that files the message if it has run once, although it includes what may be itself."""


def files(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def storing(mailbox: str) -> str:
    return f'require ["fileinto", "copy"]; fileinto :copy "{mailbox}";\n'


def fault(decision: Decision, number: int = 0) -> str:
    found = decision.recipients[number].outcome.fault
    assert found is not None
    return f"{found.place}: {found.message}"


# ---- a name in a folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files(tmp_path, {"secret.sieve": "keep;", "secret": "keep;", "scripts/a.sieve": "keep;", "scripts/b": "keep;"})
    return tmp_path / "scripts"


def test_a_script_is_the_file_of_its_name(folder: Path) -> None:
    assert named_script(folder, "a") == folder / "a.sieve"
    assert named_script(folder, "b") == folder / "b"
    assert named_script(folder, "a.sieve") == folder / "a.sieve"
    assert named_script(folder, "c") is None
    (folder / "a").write_text("discard;")
    assert named_script(folder, "a") == folder / "a.sieve"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../secret", "..\\secret", "/etc/passwd", "./a", "a/", "x/../a", "a\0", "a\n", ".a", "\udc80", "a" * 300,
     "../scripts/a"],
)  # fmt: skip
def test_a_name_is_one_entry_of_the_folder(folder: Path, name: str) -> None:
    (folder / ".a.sieve").write_text("keep;")
    assert named_script(folder, name) is None
    assert named_script(folder, "a") is not None


def test_an_absolute_name(folder: Path) -> None:
    assert named_script(folder, str(folder.parent / "secret")) is None
    assert named_script(folder, str(folder / "a")) is None


@pytest.mark.parametrize("name", ["out.sieve", "out"])
@pytest.mark.parametrize("to", ["../secret.sieve", "ABSOLUTE", "up/secret.sieve", "twice"])
def test_a_link_out_of_the_folder_is_not_there(
    folder: Path, name: str, to: str, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "up").symlink_to("..")
    (folder / "twice").symlink_to("../secret")
    (folder / name).symlink_to(folder.parent / "secret.sieve" if to == "ABSOLUTE" else to)
    assert named_script(folder, "out") is None
    assert f"{folder / name} is a link to a file outside of its folder" in caplog.text


def test_a_folder_with_a_longer_name_is_another(folder: Path) -> None:
    files(folder.parent, {"scripts2/x.sieve": "keep;"})
    (folder / "x.sieve").symlink_to("../scripts2/x.sieve")
    assert named_script(folder, "x") is None


def test_a_link_within_the_folder_is_the_file_it_leads_to(folder: Path) -> None:
    (folder / "active.sieve").symlink_to("a.sieve")
    assert named_script(folder, "active") == folder / "a.sieve"
    (folder / "round.sieve").symlink_to("round.sieve")
    (folder / "gone.sieve").symlink_to("nowhere.sieve")
    assert named_script(folder, "round") is None
    assert named_script(folder, "gone") is None


def test_the_folder_may_be_a_link_itself(folder: Path) -> None:
    (folder.parent / "other").symlink_to("scripts")
    assert named_script(folder.parent / "other", "a") == folder.parent / "other/a.sieve"


def test_what_is_no_file_is_no_script(folder: Path) -> None:
    (folder / "d.sieve").mkdir()
    os.mkfifo(folder / "pipe.sieve")
    assert named_script(folder, "d") is None
    assert named_script(folder, "pipe") is None
    assert named_script(folder / "nowhere", "a") is None
    assert named_script(folder / "a.sieve", "a") is None


# ---- whose scripts they are


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("/s/%d/%n/main.sieve", "/s/example.com/alice"),
        ("/s/%u/main.sieve", "/s/alice@example.com"),
        ("/s/%n/%n.sieve", "/s/alice"),
        ("/s/%u/%n-%d.sieve", "/s/alice@example.com"),
        ("/s/main.sieve", "/s"),  # one script for all: so are those beside it
        ("/s/%d/main.sieve", "/s/example.com"),
        # a folder of the scripts of many
        ("/s/%d/%n.sieve", "/s/example.com/alice"),
        ("/s/%u.sieve", "/s/alice@example.com"),
        ("/s/%n/%d.sieve", "/s/alice/example.com"),
        ("/s/%u.siv", "/s/alice@example.com"),
        ("/s/%%n/%n.sieve", "/s/%n/alice"),
        ("/s/%u", None),
        ("/s/%n.txt", None),
    ],
)
def test_the_folder_of_personal_scripts(template: str, expected: str | None) -> None:
    folder = Users(template).personal("Alice@Example.com")
    assert (None if folder is None else str(folder)) == expected


def test_an_address_that_is_no_path_has_no_personal_scripts() -> None:
    for recipient in ("../x@example.com", ".x@example.com", "a/b@example.com", ""):
        assert Users("/s/%n/main.sieve").personal(recipient) is None
        assert Users("/s/%n.sieve").personal(recipient) is None


USERS = 'users { scripts = "users/%n/main.sieve" global = "global" }\n'


def test_personal_and_global_scripts(site: MakeSite, decided: Decide, shown: Show) -> None:
    made = site_with(site, {
        "users/alice/main.sieve": INCLUDE + 'include "a"; include :global "a";',
        "users/alice/a.sieve": storing("Alice"),
        "users/carol/main.sieve": INCLUDE + 'include :global "a"; include :personal "a";',
        "users/carol/a": storing("Carol"),
        "global/a.sieve": storing("Site"),
    })  # fmt: skip
    assert shown(decided(made, "alice@example.com", "carol@example.com", "bob@example.com")) == [
        "alice fileinto Alice",
        "alice fileinto Site",
        "alice implicit keep",
        "carol fileinto Site",
        "carol fileinto Carol",
        "carol implicit keep",
        "bob implicit keep",
    ]


def site_with(site: Callable[..., Site], scripts: Mapping[str, str], config: str = USERS) -> Site:
    return site(config, {"global/nothing.sieve": "", **scripts})


def test_nobody_includes_the_scripts_of_another(site: MakeSite, decided: Decide, shown: Show) -> None:
    """Users whose scripts are in one folder: each has a folder of personal scripts beside it."""
    made = site_with(site, {
        "users/alice.sieve": INCLUDE + 'include "a"; include :optional "carol"; include "carol";',
        "users/alice/a.sieve": storing("Alice"),
        "users/carol.sieve": storing("Carol"),
        "users/carol/a.sieve": storing("Carol"),
    }, 'users { scripts = "users/%n.sieve" }')  # fmt: skip
    decision = decided(made, "alice@example.com", "carol@example.com")
    assert fault(decision).endswith('alice.sieve:2: personal script "carol" does not exist')
    assert shown(decision) == ["alice implicit keep", "carol fileinto Carol", "carol implicit keep"]


@pytest.mark.parametrize("location", ["personal", "global"])
@pytest.mark.parametrize("link", ["../carol/a.sieve", "../../site.conf", "/etc/passwd"])
def test_a_link_out_of_the_folder_is_a_missing_script(
    site: MakeSite, decided: Decide, shown: Show, tmp_path: Path, location: str, link: str
) -> None:
    made = site_with(site, {
        "users/alice/main.sieve": INCLUDE + f'include :{location} "out";',
        "users/carol/a.sieve": storing("Carol"),
    })  # fmt: skip
    folder = tmp_path / ("users/alice" if location == "personal" else "global")
    (folder / "out.sieve").symlink_to(link)
    (folder / "out").symlink_to(link)
    decision = decided(made)
    assert fault(decision).endswith(f'main.sieve:2: {location} script "out" does not exist')
    assert shown(decision) == ["alice implicit keep"]


def test_without_folders_there_are_none(site: MakeSite, decided: Decide) -> None:
    made = site('users { before = "before.sieve" }', {"before.sieve": INCLUDE + 'include :optional "x";\n'})
    assert decided(made).recipients[0].outcome.fault is None
    text = INCLUDE + 'include :global "x";\n'
    made = site('users { before = "before.sieve" } sieve "s" { runtime_error = "continue" }', {"before.sieve": text})
    assert fault(decided(made)).endswith('before.sieve:2: global script "x" does not exist')


# ---- policies


def test_a_policy_includes_scripts(site: MakeSite, decided: Decide, shown: Show) -> None:
    config = 'users { scripts = "users/%n/main.sieve" before = "global/before.sieve" global = "global" }'
    made = site_with(site, {
        "global/before.sieve": INCLUDE + 'include :global "a"; include :optional "b";',
        "global/a.sieve": storing("Site"),
        "users/alice/b.sieve": storing("Alice"),
    }, config)  # fmt: skip
    assert shown(decided(made, "alice@example.com", "carol@example.com")) == [
        "alice fileinto Site",
        "alice fileinto Alice",
        "alice implicit keep",
        "carol fileinto Site",
        "carol implicit keep",
    ]


def test_a_policy_with_a_missing_script_defers(site: MakeSite, decided: Decide) -> None:
    config = 'users { before = "global/before.sieve" global = "global" }'
    made = site_with(site, {"global/before.sieve": INCLUDE + 'include :global "missing";'}, config)
    assert decided(made).recipients[0].response == DEFERRED


def test_scripts_of_the_data_phase(site: MakeSite, decided: Decide, tmp_path: Path) -> None:
    config = 'sieve "s" { script "data_phase1" { source = "data.sieve" } }\n' + USERS
    data = 'require ["include", "variables", "vctx"]; include :optional "a"; include :global "sets";'
    made = site_with(site, {
        "data.sieve": data,
        "a.sieve": "frobnicate;",
        "global/sets.sieve": 'require "vctx"; vctx_mess_set "seen" "yes";',
    }, config)  # fmt: skip
    decision = decided(made)
    assert (decision.fault, decision.context.message) == (None, {"seen": "yes"})
    # checked for the phase that includes it: there is no recipient yet
    (tmp_path / "global/sets.sieve").write_text(storing("A"))
    decision = decided(made)
    assert decision.response == DEFERRED
    assert decision.fault is not None
    assert "recipient" in decision.fault.message


# ---- one script has one name


@pytest.mark.parametrize("name", ["main", "main.sieve", "active"])
def test_the_user_s_own_script_by_any_name(site: MakeSite, decided: Decide, tmp_path: Path, name: str) -> None:
    made = site_with(site, {"users/alice/main.sieve": INCLUDE + f'include "b"; include "{name}";', "users/alice/b": ""})
    (tmp_path / "users/alice/active.sieve").symlink_to("main.sieve")
    assert fault(decided(made)).endswith(f'main.sieve:2: personal script "{name}" includes itself')


def test_the_user_s_own_script_may_be_a_link(site: MakeSite, decided: Decide, shown: Show, tmp_path: Path) -> None:
    for name in ("real", "main", "main.sieve"):
        made = site_with(site, {"users/alice/real.sieve": COUNT % name})
        link = tmp_path / "users/alice/main.sieve"
        link.unlink(missing_ok=True)
        link.symlink_to("real.sieve")
        assert shown(decided(made)) == ["alice fileinto Once"]


def test_a_policy_by_its_name(site: MakeSite, decided: Decide, shown: Show, tmp_path: Path) -> None:
    config = 'users { before = "global/../global/link.sieve" global = "global" }'
    for name in ("before", "link", "link.sieve"):
        files(tmp_path, {"global/before.sieve": (COUNT % name).replace(":once", ":once :global")})
        link = tmp_path / "global/link.sieve"
        link.unlink(missing_ok=True)
        link.symlink_to("before.sieve")
        assert shown(decided(site_with(site, {}, config))) == ["alice fileinto Once"]


# ---- files that change or cannot be read


def test_a_changed_script_is_read_again(site: MakeSite, decided: Decide, shown: Show, tmp_path: Path) -> None:
    made = site_with(site, {"users/alice/main.sieve": INCLUDE + 'include "a";', "users/alice/a.sieve": storing("One")})
    assert shown(decided(made))[0] == "alice fileinto One"
    (tmp_path / "users/alice/a.sieve").write_text(storing("Another"))
    assert shown(decided(made))[0] == "alice fileinto Another"
    (tmp_path / "users/alice/a.sieve").unlink()
    assert fault(decided(made)).endswith('personal script "a" does not exist')


def test_a_script_is_checked_once(site: MakeSite, decided: Decide, monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[str] = []

    def counted(script: bytes, path: str, vocabulary: Vocabulary) -> Checked:
        paths.append(Path(path).name)
        return check(script, path, vocabulary)

    monkeypatch.setattr("sieveav.site.scripts.check", counted)
    made = site_with(site, {"users/alice/main.sieve": INCLUDE + 'include "a"; include "a";', "users/alice/a.sieve": ""})
    decided(made)
    decided(made)
    assert sorted(paths) == ["a.sieve", "main.sieve"]


def test_a_script_that_cannot_be_read(
    site: MakeSite, decided: Decide, shown: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contents(path: Path) -> bytes:
        if path.name == "a.sieve":
            raise PermissionError(13, "Permission denied")
        return path.read_bytes()

    monkeypatch.setattr("sieveav.site.scripts.contents", contents)
    main_script = INCLUDE + 'keep; include :optional "a"; discard;'
    made = site_with(site, {"users/alice/main.sieve": main_script, "users/alice/a.sieve": ""})
    decision = decided(made)
    assert fault(decision).endswith('"a" is invalid: line 1: cannot be read: Permission denied')
    assert shown(decision) == ["alice implicit keep"]


def test_a_rehearsal_answers_in_the_site_s_place(site: MakeSite, decided: Decide, shown: Show) -> None:
    made = site_with(
        site, {"users/alice/main.sieve": INCLUDE + 'include :optional "a";', "users/alice/a.sieve": "discard;"}
    )
    assert shown(decided(made, answers=lambda _: {Script: lambda _: None})) == ["alice implicit keep"]


# ---- the configuration


def test_the_folder_must_be_there(tmp_path: Path, cli: Callable[..., Done]) -> None:
    files(tmp_path, {"site.conf": 'users { global = "nowhere" }\n', "b.conf": 'users { global = "b.conf" }\n'})
    for name, folder in (("site.conf", "nowhere"), ("b.conf", "b.conf")):
        done = cli("check-config", name)
        assert done.status == 1
        assert f'there is no directory "{folder}"' in done.out


# ---- the command line


class Done(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Runs a command line in tmp_path, where there is a message."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.eml").write_text("From: bob@example.org\nTo: alice@example.com\nSubject: Hello\n\nHi.\n")

    def run(*arguments: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        status = main(arguments)
        captured = capsys.readouterr()
        return Done(status, captured.out, captured.err)

    return run


def actions(done: Done) -> list[str]:
    recipients = json.loads(done.out)["recipients"]
    return [action.get("mailbox", action["action"]) for one in recipients for action in one["actions"]]


@pytest.mark.parametrize("script", ["s/main.sieve", "./s/main.sieve", "s/../s/main.sieve", "ABSOLUTE"])
def test_run(tmp_path: Path, cli: Callable[..., Done], script: str) -> None:
    files(tmp_path, {
        "s/main.sieve": COUNT % "main" + 'include "a"; include "b";',
        "s/a.sieve": storing("A"),
        "s/b": COUNT % "main",
        "a.sieve": "discard;",
    })  # fmt: skip
    name = str(tmp_path / "s/main.sieve") if script == "ABSOLUTE" else script
    done = cli("run", "--format", "json", name, "m.eml")
    assert (done.status, actions(done)) == (0, ["Once", "A"])
    places = [action["at"] for action in json.loads(done.out)["recipients"][0]["actions"]]
    assert [Path(place["path"]).name for place in places] == ["main.sieve", "a.sieve"]


def test_run_of_a_script_beside_others(tmp_path: Path, cli: Callable[..., Done]) -> None:
    files(tmp_path, {"main.sieve": INCLUDE + 'include "a";', "a.sieve": storing("A")})
    assert actions(cli("run", "--format", "json", "main.sieve", "m.eml")) == ["A", "keep"]
    (tmp_path / "elsewhere").mkdir()
    done = cli("run", "--format", "json", "-", "m.eml", stdin=(tmp_path / "main.sieve").read_bytes())
    assert actions(done) == ["A", "keep"]


def test_run_with_a_site(tmp_path: Path, cli: Callable[..., Done]) -> None:
    files(tmp_path, {
        "site.conf": USERS,
        "global/a.sieve": storing("Site"),
        "users/alice/a.sieve": storing("Alice"),
        "s/main.sieve": INCLUDE + 'include :global "a"; include "a";',
        "s/a.sieve": storing("S"),
    })  # fmt: skip
    done = cli("run", "--config", "site.conf", "--format", "json", "s/main.sieve", "m.eml")
    assert actions(done) == ["Site", "S", "keep"]
    done = cli("run", "--format", "json", "s/main.sieve", "m.eml")  # no site: no global scripts
    assert (done.status, actions(done)) == (1, ["keep"])
    assert 'global script "a" does not exist' in json.loads(done.out)["recipients"][0]["fault"]


def test_decide(tmp_path: Path, cli: Callable[..., Done]) -> None:
    files(tmp_path, {
        "site.conf": USERS,
        "global/a.sieve": 'require "include"; return;\nkeep;',
        "users/alice/main.sieve": INCLUDE + 'include :global "a"; include "a";',
        "users/alice/a.sieve": storing("Alice"),
    })  # fmt: skip
    done = cli("decide", "--config", "site.conf", "--format", "json", "m.eml")
    assert (done.status, actions(done)) == (0, ["Alice", "keep"])


@pytest.mark.parametrize("name", ["../secret", "out", ".hidden", "/etc/passwd"])
def test_a_name_that_leads_elsewhere(tmp_path: Path, cli: Callable[..., Done], name: str) -> None:
    files(tmp_path, {
        "secret.sieve": storing("Secret"),
        "s/main.sieve": INCLUDE + f'include "{name}";',
        "s/.hidden.sieve": storing("Hidden"),
    })  # fmt: skip
    (tmp_path / "s/out.sieve").symlink_to("../secret.sieve")
    done = cli("run", "s/main.sieve", "m.eml")
    assert done.status == 1
    assert "Secret" not in done.out
    assert "Hidden" not in done.out
    expected = 'personal script "out" does not exist' if name == "out" else "begins with a dot or contains"
    assert expected in done.out


def test_a_fault_names_the_included_script(tmp_path: Path, cli: Callable[..., Done]) -> None:
    files(tmp_path, {"main.sieve": INCLUDE + 'include "a";', "a.sieve": 'require "variables";\n\nredirect "${x}";\n'})
    done = cli("run", "--trace", "main.sieve", "m.eml")
    assert done.status == 1
    assert "a.sieve:3" in done.out
    assert 'personal script "a": included' in done.out


def test_lint_and_explain(tmp_path: Path, cli: Callable[..., Done]) -> None:
    files(tmp_path, {"main.sieve": INCLUDE + 'include "missing"; fileinto "${global.x}";'})
    assert cli("lint", "main.sieve").status == 0  # RFC 6609, 3.1: a missing script is no error yet
    files(tmp_path, {"main.sieve": INCLUDE + 'include "${x}"; global "1";'})
    done = cli("lint", "--format", "json", "main.sieve")
    assert done.status == 1
    assert [problem["rule"] for problem in json.loads(done.out)] == ["argument-not-constant", "variable-name"]
    out = cli("explain", "include").out
    for text in (
        "RFC 6609",
        "include [LOCATION] [:once] [:optional] <script: string>",
        "max_nesting_depth",
        "max_includes",
    ):
        assert text in out
    assert "global <names: string-list>" in cli("explain", "global").out
