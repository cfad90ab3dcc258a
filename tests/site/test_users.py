"""Users' scripts: by a template, or a folder with an active one; and nothing outside of either."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sites import Decide, MakeSite, Show

from sieveav.site.users import Users, fill

ALICE = "Alice+lists@Example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Alice's folder, with two scripts."""
    folder = tmp_path / "example.com" / "alice"
    folder.mkdir(parents=True)
    (folder / "work.sieve").write_text("keep;")
    (folder / "holidays.sieve").write_text("discard;")
    return folder


def users(tmp_path: Path) -> Users:
    return Users(folder=f"{tmp_path}/%d/%n")


def test_the_active_script_is_the_one_that_the_link_names(tmp_path: Path, folder: Path) -> None:
    assert users(tmp_path).active(ALICE) is None
    (folder / ".active").symlink_to("work.sieve")
    assert users(tmp_path).active(ALICE) == folder / "work.sieve"
    (folder / ".active").unlink()
    (folder / ".active").symlink_to(folder / "holidays.sieve")
    assert users(tmp_path).active(ALICE) == folder / "holidays.sieve"
    assert users(tmp_path).personal(ALICE) == folder


@pytest.mark.parametrize("to", ["gone.sieve", "../secret.sieve", ".active", "/etc/passwd", "../alice", "sub"])
def test_a_link_that_leads_nowhere_or_elsewhere(tmp_path: Path, folder: Path, to: str) -> None:
    (folder.parent / "secret.sieve").write_text("discard;")
    (folder / "sub").mkdir()
    (folder / ".active").symlink_to(to)
    assert users(tmp_path).active(ALICE) is None


@pytest.mark.parametrize(
    "recipient", ["../alice@example.com", "alice@../etc", "@", "", "al/ice@example.com", ".@x.org"]
)
def test_an_address_never_leaves_the_template(tmp_path: Path, recipient: str) -> None:
    assert users(tmp_path).active(recipient) is None
    assert users(tmp_path).personal(recipient) is None


def test_the_kelvin_sign_is_not_a_k() -> None:
    assert fill("/s/%n", "\u212a@x.org") == Path("/s/\u212a")
    assert fill("/s/%n", "K@x.org") == Path("/s/k")
    assert fill("/s/%n", "\u0130@x.org") == Path("/s/\u0130")  # whose lower case begins with an i
    assert fill("/s/%n", "\u00c4@x.org") == Path("/s/\u00e4")


def test_everyones_scripts(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "[x].org" / "bob").mkdir(parents=True)
    (tmp_path / "[x].org" / "bob" / "a.sieve").write_text("keep;")
    (folder / "notes.txt").write_text("")
    expected = [tmp_path / "[x].org/bob/a.sieve", folder / "holidays.sieve", folder / "work.sieve"]
    assert list(users(tmp_path).everyone()) == sorted(expected)
    assert list(Users(f"{tmp_path}/%d/%n/work.sieve").everyone()) == [folder / "work.sieve"]
    assert list(Users(f"{tmp_path}/[x].org/%n/a.sieve").everyone()) == [tmp_path / "[x].org/bob/a.sieve"]
    assert list(Users().everyone()) == []


def test_a_site_with_folders(site: MakeSite, decided: Decide, shown: Show, tmp_path: Path) -> None:
    scripts = {
        "users/alice/work.sieve": 'require ["fileinto", "include"]; include "more"; fileinto "Work";',
        "users/alice/more.sieve": 'require "fileinto"; fileinto "More";',
        "users/carol/work.sieve": "discard;",
    }
    made = site('users { folder = "users/%n" }', scripts)
    (tmp_path / "users/alice/.active").symlink_to("work.sieve")
    decision = decided(made, "alice@example.com", "carol@example.com")
    assert shown(decision) == ["alice fileinto More", "alice fileinto Work", "carol implicit keep"]
