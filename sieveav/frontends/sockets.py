"""sockets: names and addresses to listening sockets, opened as root, and the process to another user.

systemd may pass sockets, by their names; the others are bound here. If one of them fails, none stays open.
"""

from __future__ import annotations

import grp
import logging
import os
import pwd
import re
import socket
import stat
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from itertools import chain, repeat
from typing import Any, NamedTuple

from sieveav.printing import printable

_log = logging.getLogger(__name__)

BACKLOG = 128
"""The connections to a socket that may wait for a worker."""


class ServerError(Exception):
    """A server cannot be started; the text says why."""


def reason(error: Exception) -> str:
    """What went wrong, without the number and the file name of an OSError."""
    return getattr(error, "strerror", None) or str(error)


# ---- listening sockets

Sockets = Mapping[str, tuple[socket.socket, ...]]
"""Name of a listener -> its sockets: several only if systemd passes several of that name."""


class Listener(NamedTuple):
    """Where a server listens."""

    name: str
    """Also the FileDescriptorName= of its systemd socket unit."""
    address: str
    """As for parse_address. Not used if systemd passes a socket of that name."""
    mode: int = 0o660
    """The permissions of a unix socket."""
    owner: str = ""
    """The name of the user who owns a unix socket; empty for the user of this process."""
    group: str = ""
    """The same of its group."""


_INET = re.compile(r"inet:(?:\[([0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?)\]|([0-9.]+)):([0-9]{1,5})")


def parse_address(text: str) -> tuple[int, Any]:
    """The socket family and the address to bind for `unix:/path`, `inet:127.0.0.1:8891` or `inet:[::1]:8891`; else ValueError.

    Host names are not looked up: they may have several addresses, or none yet when the system starts. Port 0 is any free port.
    """
    if text.startswith("unix:/") and "\0" not in text:
        return socket.AF_UNIX, text.removeprefix("unix:")
    match = _INET.fullmatch(text)
    if match and int(match[3]) < 65536:
        with suppress(OSError):
            host, port, numeric = match[1] or match[2], int(match[3]), socket.AI_NUMERICHOST
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)[0]
            return family, address
    forms = "unix:/path or inet:address:port, such as inet:127.0.0.1:8891 or inet:[::1]:8891"
    raise ValueError(f'"{printable(text)}" is not {forms}')


def open_sockets(listeners: Iterable[Listener]) -> Sockets:
    """The listening sockets of all listeners: those that systemd passes under their names, the others bound here.

    Takes systemd's variables out of the environment. A unix socket's file is replaced if nobody listens there, and is not
    removed when the server stops. ServerError if one cannot be opened, ValueError as parse_address; then none is open.
    """
    inherited = _inherited_sockets()
    sockets: dict[str, tuple[socket.socket, ...]] = {}
    with ExitStack() as on_error:
        for each in chain.from_iterable(inherited.values()):
            on_error.callback(each.close)
            if each.type != socket.SOCK_STREAM or not each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                raise ServerError(f"descriptor {each.fileno()}, passed by systemd, is not a stream socket that listens")
            each.setblocking(False)
        for listener in listeners:
            sockets[listener.name] = tuple(inherited.pop(listener.name, ())) or (_listen(listener),)
            for each in sockets[listener.name]:
                on_error.callback(each.close)
        on_error.pop_all()
    for name, unused in inherited.items():
        hint = f"write FileDescriptorName={' or '.join(map(printable, sockets))} in its unit"
        _log.warning('systemd passes a socket "%s", which nothing uses: %s', printable(name), hint)
        for each in unused:
            each.close()
    return sockets


def _inherited_sockets() -> dict[str, list[socket.socket]]:
    """The sockets that systemd passes to this process, by name (sd_listen_fds_with_names(3))."""
    process, count, names = (os.environ.pop(f"LISTEN_{name}", "") for name in ("PID", "FDS", "FDNAMES"))
    sockets: dict[str, list[socket.socket]] = {}
    if process != str(os.getpid()) or not count.isdecimal():
        return sockets
    every_name = chain(names.split(":") if names else (), repeat("unknown"))
    for descriptor, name in zip(range(3, 3 + int(count)), every_name, strict=False):
        try:
            os.set_inheritable(descriptor, False)
            sockets.setdefault(name, []).append(socket.socket(fileno=descriptor))
        except OSError as error:
            raise ServerError(f"descriptor {descriptor}, passed by systemd: {reason(error)}") from None
    return sockets


def _listen(listener: Listener) -> socket.socket:
    family, address = parse_address(listener.address)
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_UNIX:
            _bind_unix(listening, address, listener)
        else:
            # Connections of a server before this one may not have ended.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:  # so that [::] and 0.0.0.0 can have the same port
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(address)
        listening.listen(BACKLOG)
        listening.setblocking(False)  # all workers wait for the same connection
    except (OSError, ServerError) as error:
        listening.close()
        raise ServerError(f"cannot listen on {printable(listener.address)}: {reason(error)}") from None
    return listening


def _bind_unix(listening: socket.socket, path: str, listener: Listener) -> None:
    owner = _user(listener.owner).pw_uid if listener.owner else -1
    group = _group(listener.group).gr_gid if listener.group else -1
    _remove_stale(path)
    umask = os.umask(0o777 & ~listener.mode)  # bind creates the file with exactly this mode
    try:
        listening.bind(path)
    finally:
        os.umask(umask)
    if (owner, group) != (-1, -1):
        os.chown(path, owner, group, follow_symlinks=False)


def _remove_stale(path: str) -> None:
    """Remove the socket file of a server that has ended. If one listens there, bind fails."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError("the file exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108
        except BlockingIOError:  # its backlog is full
            pass


# ---- the user


def drop_root(user: str) -> None:
    """Become `user` with its groups, for good. Does nothing if this process is that user's. Else ServerError."""
    entry = _user(user)
    name, uid, gid = printable(user), entry.pw_uid, entry.pw_gid
    if os.getresuid() == (uid, uid, uid):
        return
    if os.geteuid() != 0:
        raise ServerError(f'cannot become the user "{name}": start the server as root or as that user')
    try:
        os.initgroups(user, gid)
        os.setgid(gid)
        os.setuid(uid)
    except OSError as error:
        raise ServerError(f'cannot become the user "{name}": {reason(error)}') from None
    ids = os.getresuid() == (uid, uid, uid) and os.getresgid() == (gid, gid, gid)
    if not ids or set(os.getgroups()) != set(os.getgrouplist(user, gid)) or _can_be_root():
        raise ServerError(f'cannot become the user "{name}": the process has kept privileges of root')


def _can_be_root() -> bool:
    try:
        os.setuid(0)
    except PermissionError:
        return False
    return True


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except (KeyError, ValueError):
        raise ServerError(f'unknown user "{printable(name)}"') from None


def _group(name: str) -> grp.struct_group:
    try:
        return grp.getgrnam(name)
    except (KeyError, ValueError):
        raise ServerError(f'unknown group "{printable(name)}"') from None
