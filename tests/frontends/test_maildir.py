"""Maildirs: where messages are, that nothing else is touched, and that a message is safe or not there."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import re
import resource
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.accepting import Accepted
from support.outcomes import only, present

from sieveav.frontends import maildir
from sieveav.frontends.failure import Failure
from sieveav.frontends.maildir import Maildir, folder_name, modified_utf7
from sieveav.running.carrying import carry
from sieveav.running.effects import Store, mailbox_key
from sieveav.running.message import Message
from sieveav.running.outcome import UNDECIDED, Action, Outcome
from sieveav.site.rehearsal import Delivery

MESSAGE = b"Subject: x\r\n\r\n" + b"A line of text.\r\n" * 900

NAME = re.compile(r"\d{10}\.M\d{1,6}P\d+Q\d+\.[A-Za-z0-9.\\-]+,S=(\d+)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A Maildir with nothing in it."""
    path = tmp_path / "alice"
    for name in ("cur", "new", "tmp"):
        (path / name).mkdir(parents=True)
    return path


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maildir, "LOCK_PAUSE", 0.0)


def files(path: Path, folder: str = "*") -> list[Path]:
    """The files that mail clients see, in folders of this name below `path`; the Maildir itself is one."""
    return [file for box in ("new", "cur") for at in ("", f"{folder}/") for file in path.glob(f"{at}{box}/*")]


def messages(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in files(path)]


def make_folder(path: Path, name: str) -> None:
    assert Maildir(path).store(name, b"first", create=True) is None
    only(files(path / f".{name}")).unlink()


# ---- messages


def test_a_message_in_inbox(path: Path) -> None:
    assert Maildir(path).store(None, MESSAGE) is None
    file = only((path / "new").iterdir())
    assert file.read_bytes() == MESSAGE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert present(NAME.fullmatch(file.name))[1] == str(len(MESSAGE))
    assert abs(int(file.name.partition(".")[0]) - time.time()) < 600
    assert sorted(entry.name for entry in path.iterdir()) == ["cur", "new", "tmp"]
    assert list((path / "tmp").iterdir()) == []


def test_an_empty_message(path: Path) -> None:
    assert Maildir(path).store("INBOX", b"") is None
    assert messages(path) == [b""]


@pytest.mark.parametrize(
    ("flags", "letters"),
    [
        (("\\Seen",), "S"),
        (("\\seen", "\\DELETED", "$Forwarded", "\\Draft", "\\Answered", "\\Flagged"), "DFPRST"),
        (("\\Seen", "Work", "\\SEEN"), "S"),
        (("Work", "\\Recent", "S", ""), None),
        ((), None),
    ],
)
def test_flags(path: Path, flags: tuple[str, ...], letters: str | None) -> None:
    assert Maildir(path).store(None, MESSAGE, flags=flags) is None
    file = only(files(path))
    name, colon, info = file.name.partition(":")
    assert NAME.fullmatch(name)
    assert (file.parent.name, colon + info) == (("new", "") if letters is None else ("cur", f":2,{letters}"))


def test_date(path: Path) -> None:
    assert Maildir(path).store(None, MESSAGE, date=1_000_000_000.5) is None
    assert only(files(path)).stat().st_mtime == 1_000_000_000.5


def test_the_working_directory_may_change(tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    alice = Maildir("alice")
    monkeypatch.chdir("/")
    assert alice.store(None, MESSAGE) is None
    assert messages(path) == [MESSAGE]


# ---- mailboxes


@pytest.mark.parametrize(
    ("mailbox", "folder"),
    [
        ("Junk", ".Junk"),
        ("Lists/python", ".Lists.python"),
        ("inbox/Junk", ".INBOX.Junk"),
        ("Lists/INBOX", ".Lists.INBOX"),
        ("Entw\xfcrfe", ".Entw&APw-rfe"),
        ("\u65e5\u672c/A&B", ".&ZeVnLA-.A&-B"),
        ("\U0001f600?", ".&2D3eAA-?"),
        ("a\xa0b", ".a&AKA-b"),
        ("\u7fff\uffff", ".&f,,,,w-"),
        (" x ", ". x "),
        ("x/~y", ".x.~y"),
        ("cur", ".cur"),
        ("a" * 254, "." + "a" * 254),
    ],
)
def test_a_mailbox_is_a_folder(path: Path, mailbox: str, folder: str) -> None:
    assert Maildir(path).store(mailbox, MESSAGE, create=True) is None
    assert only(files(path)).parent == path / folder / "new"
    assert {entry.name: entry.is_dir() for entry in (path / folder).iterdir()} == {
        "cur": True,
        "maildirfolder": False,
        "new": True,
        "tmp": True,
    }
    assert stat.S_IMODE((path / folder).stat().st_mode) == stat.S_IMODE((path / folder / "new").stat().st_mode) == 0o700


@pytest.mark.parametrize("mailbox", [None, "INBOX", "inbox", "iNBOX"])
def test_inbox(path: Path, mailbox: str | None) -> None:
    assert Maildir(path).store(mailbox, MESSAGE, create=True) is None
    assert [file.parent for file in files(path)] == [path / "new"]


REFUSED = [
    "", "/", "a/", "/a", "a//b", "..", ".", "../x", "a/../b", "a/..", "x.y", "a/b.c", "a.", ".a", "a\\b", "a\0b", "a\nb",
    "\x7f", "a\x85", "\ud800", "~", "~a", "INBOX.a", "inbox.a", "INBOX/", "a" * 255, "a" * 256, "\xfc" * 150,
    "a" * 128 + "/" + "b" * 127,
]  # fmt: skip


def test_names_that_are_refused(path: Path, accepted: Accepted) -> None:
    failures = [present(Maildir(path).store(mailbox, MESSAGE, create=True)) for mailbox in REFUSED]
    assert not any(failure.temporary for failure in failures)
    assert all(failure.text.isprintable() for failure in failures)
    accepted(failure.text for failure in failures)
    assert sorted(entry.name for entry in path.iterdir()) == ["cur", "new", "tmp"]
    assert messages(path) == []


PART = st.sampled_from(
    ["a", "b", "INBOX", "inbox", "..", ".", "~", "cur", "new", "tmp", "\xe4", "&", "&-", "\U0001f600", ""]
)
NAMES = st.text(max_size=40) | st.lists(PART | st.sampled_from("/\\\0\n"), max_size=6).map("".join)
NAMES |= st.lists(PART, max_size=4).map("/".join)


@given(NAMES)
@example("..")
@example("/etc/x")
@example("../../x")
def test_nothing_is_outside(mailbox: str) -> None:
    with tempfile.TemporaryDirectory() as outside:
        path = Path(outside) / "vmail" / "alice"
        failure = Maildir(path, make=True).store(mailbox, b"x", create=True)
        entries = {os.path.realpath(entry) for entry in Path(outside).rglob("*")}
        above = {str(path.resolve()), str(path.parent.resolve())}
        assert all(entry.startswith(f"{path.resolve()}/") for entry in entries - above)
        assert above <= entries or failure
        assert messages(path) == ([] if failure else [b"x"])


@given(st.text())
def test_encoding(text: str) -> None:
    """Each name has its own encoding, which is printable ASCII (RFC 3501, 5.1.3)."""
    if not any("\ud800" <= c <= "\udfff" for c in text):
        encoded = modified_utf7(text)
        assert re.fullmatch(r"(?:[ -%'-~]|&(?:[A-Za-z0-9+,]+)?-)*", encoded)
        pieces = re.split(r"&([^-]*)-", encoded)
        utf7 = [f"+{piece.replace(',', '/')}-".encode().decode("utf-7") if piece else "&" for piece in pieces[1::2]]
        assert "".join(itertools.chain(*itertools.zip_longest(pieces[::2], utf7, fillvalue=""))) == text


@given(NAMES, NAMES)
def test_different_mailboxes_have_different_folders(one: str, other: str) -> None:
    folders = folder_name(mailbox_key(one)), folder_name(mailbox_key(other))
    if None not in folders and mailbox_key(one) != mailbox_key(other):
        assert folders[0] != folders[1]


def test_a_mailbox_that_does_not_exist(path: Path, accepted: Accepted) -> None:
    failure = present(Maildir(path).store("No/such\u202ebox", MESSAGE))
    assert not failure.temporary
    accepted(failure.text)
    assert sorted(entry.name for entry in path.iterdir()) == ["cur", "new", "tmp"]


def test_a_mailbox_that_exists(path: Path) -> None:
    make_folder(path, "Junk")
    subscriptions = (path / "subscriptions").read_bytes()
    for create in (False, True):
        assert Maildir(path).store("Junk", MESSAGE, create=create) is None
    assert [file.parent for file in files(path)] == [path / ".Junk/new"] * 2
    assert (path / "subscriptions").read_bytes() == subscriptions


@pytest.mark.parametrize("folder", [".Junk", ""])
@pytest.mark.parametrize("missing", [("tmp",), ("new",), ("cur", "new"), ("cur", "new", "tmp")])
def test_folders_that_are_missing_are_made(path: Path, folder: str, missing: tuple[str, ...]) -> None:
    make_folder(path, "Junk")
    for name in missing:
        (path / folder / name).rmdir()
    assert Maildir(path).store(folder[1:] or None, MESSAGE) is None
    assert [file.parent for file in files(path)] == [path / folder / "new"]
    assert (path / folder / "cur").is_dir()


def test_a_maildir_that_does_not_exist(tmp_path: Path, accepted: Accepted) -> None:
    path = tmp_path / "example.com" / "alice"
    failure = present(Maildir(path).store(None, MESSAGE))
    assert failure.temporary
    accepted(failure.text)
    assert list(tmp_path.iterdir()) == []
    assert Maildir(path, make=True).store("a/b", MESSAGE, create=True) is None
    assert [file.parent for file in files(path)] == [path / ".a.b/new"]
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert Maildir(path).store(None, MESSAGE) is None


def test_make_does_not_create_mailboxes(tmp_path: Path) -> None:
    assert present(Maildir(tmp_path / "alice", make=True).store("a", MESSAGE)).temporary is False
    assert messages(tmp_path) == []


# ---- symbolic links


def test_the_maildir_may_be_a_link(tmp_path: Path, path: Path) -> None:
    (tmp_path / "link").symlink_to(path)
    assert Maildir(tmp_path / "link").store("a", MESSAGE, create=True) is None
    assert [file.parent for file in files(path)] == [path / ".a/new"]


def test_a_link_to_a_folder_of_the_maildir_is_followed(path: Path) -> None:
    make_folder(path, "Junk")
    (path / ".Spam").symlink_to(".Junk")
    for create in (False, True):
        assert Maildir(path).store("Spam", MESSAGE, create=create) is None
    assert [file.parent.resolve() for file in (path / ".Spam/new").iterdir()] == [path / ".Junk/new"] * 2


@pytest.mark.parametrize(
    "target",
    ["../bob", "../bob/.Junk", "{}/bob", "{}/alice/.Junk", ".", "..", "cur", ".Chain", ".Gone", ".File", ".Spam"],
)
def test_other_links_are_not_followed(tmp_path: Path, path: Path, target: str, accepted: Accepted) -> None:
    make_folder(path, "Junk")
    for folder in ("bob", "bob/.Junk"):
        for name in ("cur", "new", "tmp"):
            (tmp_path / folder / name).mkdir(parents=True)
    (path / ".Chain").symlink_to("../bob")
    (path / ".File").touch()
    (path / ".Spam").symlink_to(target.format(tmp_path))
    failures = [present(Maildir(path).store("Spam", MESSAGE, create=create)) for create in (False, True)]
    assert all(failure.temporary for failure in failures)
    accepted(failure.text for failure in failures)
    assert [each for each in tmp_path.rglob("*") if NAME.match(each.name)] == []


@pytest.mark.parametrize("name", ["tmp", "new"])
@pytest.mark.parametrize("folder", ["", ".Junk"])
def test_links_in_the_place_of_new_or_tmp_are_not_followed(tmp_path: Path, path: Path, folder: str, name: str) -> None:
    make_folder(path, "Junk")
    (path / folder / name).rmdir()
    (tmp_path / "other").mkdir()
    (path / folder / name).symlink_to(tmp_path / "other")
    assert present(Maildir(path).store(folder[1:] or None, MESSAGE)).temporary
    assert [each for each in tmp_path.rglob("*") if NAME.match(each.name)] == []


def test_the_file_in_tmp_is_new(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the same name, which only a defect can cause, is neither overwritten nor removed."""
    monkeypatch.setattr(maildir, "unique_name", lambda number, size: "name")  # noqa: ARG005
    (path / "tmp/name").write_bytes(b"other")
    (path / "new/name").write_bytes(b"earlier")
    assert present(Maildir(path).store(None, MESSAGE)).temporary
    assert (path / "tmp/name").read_bytes() == b"other"
    assert messages(path) == [b"earlier"]


# ---- subscriptions


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, b"V\t2\n\nLists\tA&-B\n"),
        (b"", b"V\t2\n\nLists\tA&-B\n"),
        (b"V\t2\n\nJunk\n", b"V\t2\n\nJunk\nLists\tA&-B\n"),
        (b"V\t2\n\nJunk", b"V\t2\n\nJunk\nLists\tA&-B\n"),
        (b"V\t2\n\nLists\tA&-B\nJunk\n", b"V\t2\n\nLists\tA&-B\nJunk\n"),
        (b"Junk\n", b"Junk\nLists.A&-B\n"),
        (b"Lists.A&-B\n", b"Lists.A&-B\n"),
        (b"Lists.A&-Bcd\n", b"Lists.A&-Bcd\nLists.A&-B\n"),
    ],
)
def test_a_new_mailbox_is_subscribed(path: Path, before: bytes | None, after: bytes) -> None:
    """The files that Dovecot 2.3 reads: a version with a header, and the one before."""
    if before is not None:
        (path / "subscriptions").write_bytes(before)
    assert Maildir(path).store("Lists/A&B", MESSAGE, create=True) is None
    assert (path / "subscriptions").read_bytes() == after
    assert not (path / "subscriptions.lock").exists()


def test_subscriptions_that_another_process_unlocks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = path / "subscriptions.lock"
    lock.touch()
    pauses = itertools.count(1)
    monkeypatch.setattr(time, "sleep", lambda _: lock.unlink() if next(pauses) == 5 else None)
    assert Maildir(path).store("a", MESSAGE, create=True) is None
    assert (path / "subscriptions").read_bytes() == b"V\t2\n\na\n"
    assert next(pauses) == 6


def break_lock(path: Path) -> None:
    (path / "subscriptions.lock").write_bytes(b"of another process")


def break_size(path: Path) -> None:
    with (path / "subscriptions").open("wb") as file:
        file.truncate(maildir.SUBSCRIPTIONS_SIZE + 1)


def break_link(path: Path) -> None:
    (path.parent / "other").write_bytes(b"secret\n")
    (path / "subscriptions").symlink_to("../other")


def break_type(path: Path) -> None:
    (path / "subscriptions").mkdir()


@pytest.mark.parametrize("arrange", [break_lock, break_size, break_link, break_type])
def test_an_error_with_subscriptions_is_a_warning(
    path: Path, arrange: Callable[[Path], None], caplog: pytest.LogCaptureFixture, accepted: Accepted
) -> None:
    arrange(path)
    with caplog.at_level(logging.WARNING):
        assert Maildir(path).store("a", MESSAGE, create=True) is None
    assert messages(path) == [MESSAGE]
    accepted(record.getMessage().replace(str(path), "PATH") for record in caplog.records)
    lock = path / "subscriptions.lock"
    assert lock.exists() == (arrange is break_lock)
    assert not lock.exists() or lock.read_bytes() == b"of another process"
    assert (path / "subscriptions").is_symlink() == (arrange is break_link)


# ---- errors


class Crash(BaseException):
    """The machine stops."""


CALLS = ("open", "write", "fsync", "close", "rename", "mkdir", "utime", "readlink", "scandir", "unlink")


class Calls:
    """System calls of which the n-th fails; a write takes at most 5,000 octets.

    `way`: "error" (it is not done), "late" (it is done, and an error reported) or "crash": it and all later are not done.
    """

    def __init__(self, number: int, way: str) -> None:
        self.count = 0
        self._number = number
        self._way = way

    @property
    def has_failed(self) -> bool:
        return self.count >= self._number

    def patched(self, name: str) -> Callable[..., Any]:
        real: Callable[..., Any] = getattr(os, name)
        real_close = os.close

        def call(*args: Any, **named: Any) -> Any:
            self.count += 1
            fails = self.count >= self._number if self._way == "crash" else self.count == self._number
            if fails and name == "close":
                real(*args)  # Linux closes a file even if it reports an error
            elif fails and self._way == "late":
                result = real(*args, **named)
                if name == "open":
                    real_close(result)
                elif name == "scandir":
                    result.close()
            elif not fails:
                return real(args[0], args[1][:5000]) if name == "write" else real(*args, **named)
            raise Crash if self._way == "crash" else OSError(errno.EIO, "injected")

        return call


@contextmanager
def failing(number: int, way: str) -> Iterator[Calls]:
    calls = Calls(number, way)
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, calls.patched(name))
        patch.setattr(maildir, "_numbers", itertools.count())  # so that leftovers are removed too
        yield calls


def open_files(folder: Path) -> list[str]:
    """What is open below a folder: threads of earlier tests may still close what is theirs."""
    opened = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile, as that of the list itself
            opened.append(descriptor.readlink())
    return [str(path) for path in opened if path.is_relative_to(folder)]


CASES: dict[str, tuple[str | None, dict[str, Any]]] = {
    "inbox": (None, {}),
    "flags and date": (None, {"flags": ("\\Seen",), "date": 1e9}),
    "folder": ("Junk", {}),
    "link": ("Spam", {}),
    "create": ("a/b", {"create": True}),
    "make": (None, {}),
    "make and create": ("a", {"create": True}),
    "incomplete": ("Half", {}),
}


def arranged(case: str, path: Path) -> Maildir:
    if case.startswith("make"):
        return Maildir(path / "example.com" / "alice", make=True)
    Maildir(path, make=True).store(None, b"")
    only(files(path)).unlink()
    make_folder(path, "Junk")
    (path / ".Spam").symlink_to(".Junk")
    (path / ".Half").mkdir()
    return Maildir(path)


@pytest.mark.parametrize("way", ["error", "late", "crash"])
@pytest.mark.parametrize("case", CASES)
def test_a_message_is_safe_or_not_there(tmp_path: Path, case: str, way: str) -> None:
    """Whatever system call fails: the message is there if and only if there was no failure, nobody sees a part of it, and
    the next attempt succeeds. After a crash it may be there, but as a whole."""
    mailbox, options = CASES[case]
    for number in itertools.count(1):
        path = tmp_path / str(number)
        path.mkdir()
        box = arranged(case, path)
        with failing(number, way) as calls:
            try:
                failure = box.store(mailbox, MESSAGE, **options)
            except Crash:
                assert way == "crash"
                failure = Failure(True, "")
        assert open_files(tmp_path) == []
        stored = [each.read_bytes() for each in path.rglob("*") if each.parent.name in ("new", "cur")]
        if way != "crash":
            assert stored == ([] if failure else [MESSAGE]), number
        else:
            assert stored in ([], [MESSAGE]), number
        if way == "error":
            assert [each.name for each in path.rglob("tmp/*")] == []
        if not calls.has_failed:
            assert failure is None
            break
        if failure is not None:
            assert failure.temporary
            assert way == "crash" or failure.text == f'cannot store in mailbox "{mailbox or "INBOX"}": injected'
        assert box.store(mailbox, MESSAGE, **{**options, "create": True}) is None
        assert len([each for each in path.rglob("*") if each.parent.name in ("new", "cur")]) == len(stored) + 1
    assert number > 10


def test_what_is_on_disk_before_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every folder and the message are synced, in an order in which nothing is lost."""
    names: dict[int, str] = {}
    log: list[str] = []
    real = {name: getattr(os, name) for name in ("open", "mkdir", "fsync", "rename")}

    def named(path: Path | str, at: int | None) -> str:
        name = str(path).replace(str(tmp_path), "")
        name = re.sub(r"\d+\.M.*?,S=\d+", "NAME", name)
        return os.path.normpath(f"{names[at]}/{name}") if at is not None else name

    def fake_open(path: Path | str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        file: int = real["open"](path, flags, mode, dir_fd=dir_fd)
        names[file] = named(path, dir_fd) or "/"
        return file

    def fake_mkdir(path: Path | str, mode: int, *, dir_fd: int | None = None) -> None:
        real["mkdir"](path, mode, dir_fd=dir_fd)
        log.append(f"mkdir {named(path, dir_fd)}")

    def fake_fsync(file: int) -> None:
        log.append(f"sync {names[file]}")

    def fake_rename(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        real["rename"](old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        log.append(f"rename {named(old, src_dir_fd)} {named(new, dst_dir_fd)}")

    for name, fake in (("open", fake_open), ("mkdir", fake_mkdir), ("fsync", fake_fsync), ("rename", fake_rename)):
        monkeypatch.setattr(os, name, fake)
    alice = Maildir(tmp_path / "example.com/alice", make=True)
    assert alice.store("a", MESSAGE, create=True) is None
    root = "/example.com/alice"
    message = [f"sync {root}/.a/tmp/NAME", f"rename {root}/.a/tmp/NAME {root}/.a/new/NAME", f"sync {root}/.a/new"]
    assert log == [
        "mkdir /example.com",
        "sync /",
        f"mkdir {root}",
        "sync /example.com",
        f"mkdir {root}/.a",
        f"sync {root}/subscriptions.lock",
        f"rename {root}/subscriptions.lock {root}/subscriptions",
        f"mkdir {root}/.a/cur",
        f"mkdir {root}/.a/new",
        f"sync {root}/.a",
        f"sync {root}",
        f"mkdir {root}/.a/tmp",
        *message,
    ]
    log.clear()
    assert alice.store("a", MESSAGE, create=True) is None
    assert log == message


def test_a_file_system_that_cannot_sync_folders(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    assert Maildir(path).store("a", MESSAGE, create=True) is None
    assert messages(path) == [MESSAGE]


def raising(number: int) -> Callable[..., Any]:
    def call(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number), "/secret/path")

    return call


@pytest.mark.parametrize(
    ("name", "number", "temporary"),
    [
        ("open", errno.EACCES, True),
        ("open", errno.EROFS, True),
        ("open", errno.EMFILE, True),
        ("open", errno.ENOTDIR, True),
        ("open", errno.ENAMETOOLONG, False),
        ("mkdir", errno.ENOSPC, True),
        ("mkdir", errno.EMLINK, True),
        ("mkdir", errno.ENOENT, True),
        ("write", errno.ENOSPC, True),
        ("write", errno.EDQUOT, True),
        ("write", errno.EFBIG, False),
        ("fsync", errno.EIO, True),
        ("rename", errno.ESTALE, True),
        ("rename", errno.EPERM, True),
    ],
    ids=lambda value: errno.errorcode[value] if type(value) is int else str(value),
)
def test_errors(path: Path, name: str, number: int, temporary: bool, accepted: Accepted) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, name, raising(number))
        failure = present(Maildir(path).store("New box", MESSAGE, create=True))
    assert failure.temporary == temporary
    accepted(failure.text)
    assert messages(path) == []
    assert Maildir(path).store("New box", MESSAGE, create=True) is None
    assert messages(path) == [MESSAGE]


def test_a_full_disk_in_the_middle_of_a_message(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    left = 6000

    def write(file: int, octets: memoryview) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(file, octets[:left])
        left -= written
        return written

    monkeypatch.setattr(os, "write", write)
    assert present(Maildir(path).store(None, MESSAGE)).temporary
    assert [each for each in path.rglob("*") if each.is_file()] == []


def test_a_message_larger_than_the_largest_file(path: Path) -> None:
    """The kernel writes the first octets, then refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
        failure = present(Maildir(path).store(None, MESSAGE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not failure.temporary
    assert [each for each in path.rglob("*") if each.is_file()] == []


def test_a_message_that_a_client_has_moved(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between rename and the failing sync: the failure may cause a duplicate, but nothing is lost."""

    def fsync(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            moved = only((path / "new").iterdir())
            moved.rename(path / "cur" / f"{moved.name}:2,")
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    assert present(Maildir(path).store(None, MESSAGE)).temporary
    assert messages(path) == [MESSAGE]


@contextmanager
def as_user() -> Iterator[Path]:
    """A folder of an ordinary user; root becomes one meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(name, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if is_root:
                os.seteuid(0)


@pytest.mark.parametrize(
    ("closed", "mode"),
    [("", 0o000), ("", 0o500), ("alice", 0o000), ("alice", 0o500), ("alice/new", 0o500), ("alice/tmp", 0o500)],
)
def test_permissions(closed: str, mode: int, accepted: Accepted) -> None:
    with as_user() as base:
        alice = Maildir(base / "alice", make=True)
        if closed:
            assert alice.store(None, MESSAGE) is None
        (base / closed).chmod(mode)
        failure = present(alice.store(None if closed.startswith("alice/") else "a", MESSAGE, create=True))
        (base / closed).chmod(0o700)
        assert len(messages(base / "alice")) == bool(closed)
        assert alice.store("a", MESSAGE, create=True) is None
    assert failure.temporary
    accepted(failure.text)


# ---- many at a time


def test_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once into mailboxes that do not exist yet, while the clock goes back."""
    ticks = itertools.count()
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000 - 1000 * (next(ticks) // 400))
    monkeypatch.setattr(maildir, "LOCK_PAUSE", 0.01)
    path = tmp_path / "alice"
    start = threading.Barrier(16)

    def work(thread: int) -> list[Failure | None]:
        start.wait(60)
        box = Maildir(path, make=True)
        mailboxes = (None, "a", "a/b", "c")
        return [box.store(mailboxes[i % 4], b"%d %d" % (thread, i), create=True) for i in range(100)]

    with ThreadPoolExecutor(16) as pool:
        failures = [failure for results in pool.map(work, range(16)) for failure in results]
    assert failures == [None] * 1600
    assert sorted(messages(path)) == sorted(b"%d %d" % (thread, i) for thread in range(16) for i in range(100))
    names = [file.name for file in files(path)]
    assert len(set(names)) == 1600
    assert len({name.partition("P")[0] for name in names}) < 10
    assert sorted((path / "subscriptions").read_bytes().split(b"\n")[2:-1]) == [b"a", b"a\tb", b"c"]


def test_threads_sync_at_the_same_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No lock: all wait until all others are in a sync as well."""
    together = threading.Barrier(8)
    monkeypatch.setattr(os, "fsync", lambda _: together.wait(60))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: Maildir(path).store(None, MESSAGE), range(8))) == [None] * 8


def test_the_name_of_the_host(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for host, escaped in (
        ("a/b:c,d", r"a\057b\072c\054d"),
        ("mx1.example.com", "mx1.example.com"),
        ("\xe4\n" * 50, r"\077\012" * 8),
        ("", ""),
    ):
        monkeypatch.setattr(os, "uname", lambda host=host: SimpleNamespace(nodename=host))
        maildir._host.cache_clear()
        assert maildir.unique_name(7, 9).endswith(f"P{os.getpid()}Q7.{escaped},S=9")
        assert Maildir(path).store(None, MESSAGE, flags=("\\Seen",)) is None
    maildir._host.cache_clear()


# ---- leftovers


@pytest.mark.parametrize(
    ("hours", "number", "removed"), [(37, 0, True), (37, 512, True), (37, 1, False), (37, 255, False), (35, 0, False)]
)
def test_old_files_in_tmp(path: Path, hours: int, number: int, removed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (path / "tmp" / name).write_bytes(b"half")
    os.utime(path / "tmp/one", (0, 0))  # the date of a message that another process is about to store
    (path / "tmp/folder").mkdir()
    (path / "tmp/link").symlink_to("nowhere")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + hours * 3_600_000_000_000)
    monkeypatch.setattr(maildir, "_numbers", itertools.count(number))
    assert Maildir(path).store(None, MESSAGE) is None
    remaining = ["folder"] if removed else ["folder", "link", "one", "two"]
    assert sorted(entry.name for entry in (path / "tmp").iterdir()) == remaining
    assert messages(path) == [MESSAGE]


def test_an_old_file_that_cannot_be_removed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (path / "tmp" / str(number)).touch()
    now, real, calls = time.time_ns(), os.unlink, itertools.count()

    def unlink(name: str, *, dir_fd: int) -> None:
        if next(calls) == 0:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        real(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", unlink)
    monkeypatch.setattr(time, "time_ns", lambda: now + 37 * 3_600_000_000_000)
    monkeypatch.setattr(maildir, "_numbers", itertools.count())
    assert Maildir(path).store(None, MESSAGE) is None
    assert len(list((path / "tmp").iterdir())) == 1


def test_few_files_are_looked_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (path / "tmp" / str(number)).touch()
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 37 * 3_600_000_000_000)
    monkeypatch.setattr(maildir, "_numbers", itertools.count())
    monkeypatch.setattr(maildir, "LEFTOVERS", 15)
    assert Maildir(path).store(None, MESSAGE) is None
    assert len(list((path / "tmp").iterdir())) == 5


# ---- as a carrier


class ToDisk(Delivery):
    """A `Carrier` that stores in a Maildir."""

    def __init__(self, path: Path) -> None:
        super().__init__(lambda: NotImplemented, {})
        self._maildir = Maildir(path)

    def store(self, effect: Store, message: bytes) -> str:
        failure = self._maildir.store(effect.mailbox, message, flags=effect.flags, create=effect.create)
        return "" if failure is None else failure.text


def test_outcomes_are_carried_out(path: Path, accepted: Accepted) -> None:
    message = Message(b"Subject: x\n\nx\n")
    junk = Outcome(actions=(Action("fileinto", (Store("Junk", ("\\Seen",), create=True),)),), keep=False)
    assert carry(message, junk, ToDisk(path)) == ()
    assert carry(message, UNDECIDED.with_implicit_keep(), ToDisk(path)) == ()
    assert messages(path) == [message.raw] * 2
    assert only((path / ".Junk/cur").iterdir()).name.endswith(":2,S")
    missing = Outcome(actions=(Action("fileinto", (Store("None"),)),), keep=False)
    accepted(only(carry(message, missing, ToDisk(path))).text)
