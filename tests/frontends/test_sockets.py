"""Listening sockets, opened here or passed by systemd, and the user of the process. Code that changes its process runs in one
of its own."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import select
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.accepting import Accepted
from support.sockets import HAS_IPV6, WAIT, connect

from sieveav.frontends.sockets import Listener, ServerError, drop_root, open_sockets, parse_address

ROOT = os.geteuid() == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="sieveav-") as path:
        yield Path(path)


def in_a_process(code: str, *arguments: str, descriptors: tuple[int, ...] = ()) -> list[str]:
    """The lines that a program prints, with the module imported."""
    begin = "import os, socket, sys\nfrom sieveav.frontends.sockets import *\n"
    result = subprocess.run(
        [sys.executable, "-c", begin + code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WAIT,
        pass_fds=descriptors,
        check=False,
    )
    return result.stdout.splitlines()


# ---- sockets


@pytest.mark.parametrize(
    ("text", "family", "address"),
    [
        ("unix:/run/x.sock", socket.AF_UNIX, "/run/x.sock"),
        ("inet:127.0.0.1:8891", socket.AF_INET, ("127.0.0.1", 8891)),
        ("inet:0.0.0.0:0", socket.AF_INET, ("0.0.0.0", 0)),
        ("inet:[::1]:65535", socket.AF_INET6, ("::1", 65535, 0, 0)),
        ("inet:[::]:25", socket.AF_INET6, ("::", 25, 0, 0)),
    ],
)
def test_addresses(text: str, family: int, address: object) -> None:
    assert parse_address(text) == (family, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/run/x.sock",
        "unix:",
        "unix:run/x.sock",
        "unix:/run/\0x",
        "127.0.0.1:25",
        "inet:127.0.0.1",
        "inet:127.0.0.1:",
        "inet:127.0.0.1:65536",
        "inet:127.0.0.1:-1",
        "inet:127.0.0.256:25",
        "inet:::1:25",
        "inet:[::1]",
        "inet:[::g]:25",
        "inet:localhost:25",
        "inet:25@localhost",
        "inet:127.0.0.1:25\n",
    ],
)
def test_invalid_addresses(text: str, accepted: Accepted) -> None:
    with pytest.raises(ValueError, match="inet:address:port") as error:
        parse_address(text)
    accepted(str(error.value))


class Listening:
    """Opens listeners; they are closed at the end of the test."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack

    def __call__(self, address: str, *arguments: Any) -> socket.socket:
        (opened,) = open_sockets([Listener("a", address, *arguments)])["a"]
        return self._stack.enter_context(opened)

    def error(self, address: str, *arguments: Any) -> str:
        """The text of the error, with FOLDER for the test's folder."""
        with pytest.raises(ServerError) as error:
            self(address, *arguments)
        return str(error.value).replace(str(self.folder), "FOLDER")


@pytest.fixture
def listening(folder: Path) -> Iterator[Listening]:
    with contextlib.ExitStack() as stack:
        yield Listening(folder, stack)


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777])
def test_modes_of_unix_sockets(listening: Listening, folder: Path, mode: int) -> None:
    umask = os.umask(0o027)
    try:
        listening(f"unix:{folder}/a", mode)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(umask)
    assert stat.S_IMODE((folder / "a").stat().st_mode) == mode


def test_owner_and_group_of_unix_sockets(listening: Listening, folder: Path) -> None:
    user = pwd.getpwnam("nobody") if ROOT else pwd.getpwuid(os.getuid())
    group = grp.getgrgid(user.pw_gid)
    listening(f"unix:{folder}/a", 0o660, user.pw_name, group.gr_name)
    status = (folder / "a").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (user.pw_uid, group.gr_gid, 0o660)


@pytest.mark.parametrize("names", [("no such", ""), ("", "no\nsuch")], ids=["user", "group"])
def test_unknown_owner(listening: Listening, folder: Path, names: tuple[str, str], accepted: Accepted) -> None:
    accepted(listening.error(f"unix:{folder}/a", 0o660, *names))
    assert list(folder.iterdir()) == []


def test_the_socket_of_a_server_that_has_ended_is_replaced(listening: Listening, folder: Path) -> None:
    listening(f"unix:{folder}/a").close()
    assert (folder / "a").is_socket()
    listening(f"unix:{folder}/a")
    connect(f"unix:{folder}/a").close()


@pytest.mark.parametrize("backlog", [0, 128], ids=["full", "free"])
def test_the_socket_of_another_server_stays(
    listening: Listening, folder: Path, backlog: int, accepted: Accepted
) -> None:
    other = listening(f"unix:{folder}/a")
    other.listen(backlog)
    with connect(f"unix:{folder}/a"):
        accepted(listening.error(f"unix:{folder}/a"))
        other.listen(128)
        connect(f"unix:{folder}/a").close()


def test_a_file_that_is_not_a_socket_stays(listening: Listening, folder: Path, accepted: Accepted) -> None:
    (folder / "a").write_text("mail")
    (folder / "b").symlink_to(folder / "c")
    listening(f"unix:{folder}/c").close()
    accepted([listening.error(f"unix:{folder}/{name}") for name in ("a", "b")])
    assert (folder / "a").read_text() == "mail"
    assert (folder / "b").is_symlink()


def test_a_port_in_use(listening: Listening, accepted: Accepted) -> None:
    port = listening("inet:127.0.0.1:0").getsockname()[1]
    accepted(listening.error(f"inet:127.0.0.1:{port}").replace(str(port), "PORT"))


def test_a_port_with_connections_of_a_server_that_has_ended(listening: Listening) -> None:
    first = listening("inet:127.0.0.1:0")
    port = first.getsockname()[1]
    with connect(f"inet:127.0.0.1:{port}") as client:
        assert select.select([first], [], [], WAIT)[0]
        first.accept()[0].close()
        assert client.recv(1) == b""
    first.close()
    listening(f"inet:127.0.0.1:{port}")


def test_all_addresses_of_both_families(listening: Listening) -> None:
    if not HAS_IPV6:
        pytest.skip("there is no IPv6")
    port = listening("inet:[::]:0").getsockname()[1]
    listening(f"inet:0.0.0.0:{port}")


def test_a_path_that_is_too_long(listening: Listening, folder: Path, accepted: Accepted) -> None:
    accepted(listening.error(f"unix:{folder}/{'x' * 200}"))


def test_all_sockets_or_none(folder: Path) -> None:
    with pytest.raises(ServerError):
        open_sockets([Listener("a", f"unix:{folder}/a"), Listener("b", "unix:/no/such/folder")])
    with pytest.raises(ConnectionRefusedError):
        connect(f"unix:{folder}/a")


# ---- systemd

ACTIVATED = """
descriptors = [os.dup(int(number)) for number in sys.argv[3:]]
for number, descriptor in enumerate(descriptors, 3):
    os.dup2(descriptor, number)
    os.set_inheritable(number, True)
process = os.getpid() + int(sys.argv[1])
os.environ.update(LISTEN_PID=str(process), LISTEN_FDS=str(len(descriptors)), LISTEN_FDNAMES=sys.argv[2])
try:
    sockets = open_sockets([Listener("a", "inet:127.0.0.1:0"), Listener("b", "inet:127.0.0.1:0")])
    for name in sockets:
        print(name, [each.fileno() for each in sockets[name] if each.fileno() in range(3, 3 + len(descriptors))])
    print([name for name in os.environ if name.startswith("LISTEN")])
    for question in (os.get_inheritable, os.get_blocking):
        print(question.__name__, {question(each.fileno()) for some in sockets.values() for each in some})
except ServerError as error:
    print(error)
"""


@pytest.fixture
def three() -> Iterator[tuple[int, ...]]:
    """The descriptors of three sockets that listen."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
            each.listen()
        yield tuple(each.fileno() for each in sockets)


@pytest.mark.parametrize(
    ("process", "names", "used"),
    [
        (0, "b:b:b", ["a []", "b [3, 4, 5]"]),
        (0, "b:a:b", ["a [4]", "b [3, 5]"]),
        (1, "b:b:b", ["a []", "b []"]),
    ],
    ids=["one name", "two names", "another process's"],
)
def test_names_of_sockets_from_systemd(three: tuple[int, ...], process: int, names: str, used: list[str]) -> None:
    lines = in_a_process(ACTIVATED, str(process), names, *map(str, three), descriptors=three)
    assert lines == [*used, "[]", "get_inheritable {False}", "get_blocking {False}"]


@pytest.mark.parametrize("names", ["b:c.socket:c.socket", "b", ""])
def test_sockets_from_systemd_that_nothing_uses(three: tuple[int, ...], names: str, accepted: Accepted) -> None:
    accepted(in_a_process(ACTIVATED, "0", names, *map(str, three), descriptors=three))


def test_a_descriptor_from_systemd_must_listen(accepted: Accepted) -> None:
    with socket.socket() as idle, open(os.devnull) as file:  # noqa: PTH123
        for each in (idle, file):
            accepted(in_a_process(ACTIVATED, "0", "a", str(each.fileno()), descriptors=(each.fileno(),)))


# ---- the user


def test_drop_root_for_good() -> None:
    code = "drop_root(sys.argv[1])\nprint(os.getresuid(), os.getresgid(), os.getgroups())\nos.setuid(0)"
    lines = in_a_process(code, "nobody" if ROOT else "root")
    if ROOT:
        entry = pwd.getpwnam("nobody")
        groups = os.getgrouplist("nobody", entry.pw_gid)
        assert lines[0] == f"{(entry.pw_uid,) * 3} {(entry.pw_gid,) * 3} {groups}"
        assert lines[-1].startswith("PermissionError")
    else:
        assert lines[-1].endswith('cannot become the user "root": start the server as root or as that user')


def test_a_user_who_is_already_the_right_one() -> None:
    code = "before = os.getgroups()\ndrop_root(sys.argv[1])\nprint(os.getgroups() == before)"
    assert in_a_process(code, pwd.getpwuid(os.getuid()).pw_name) == ["True"]


def test_a_user_who_does_not_exist(accepted: Accepted) -> None:
    with pytest.raises(ServerError) as error:
        drop_root("no\nsuch")
    accepted(str(error.value))


@pytest.mark.skipif(not ROOT, reason="only root can try")
def test_privileges_that_stay_are_an_error() -> None:
    code = "os.setuid = lambda uid: None\ndrop_root('nobody')"
    assert in_a_process(code)[-1].endswith("the process has kept privileges of root")
