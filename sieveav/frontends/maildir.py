"""maildir: a message and the name of a mailbox to a file in a recipient's Maildir++, safe on disk.

    failure = Maildir("/var/vmail/example.com/alice").store("Lists/python", message, create=True)

A message is written to `tmp`, synced, and renamed into `new`, or into `cur` if it has flags; then that folder is synced. So
a mail client never sees a part of a message, and a message that was stored survives a power failure. That needs folders
that survive too: `tmp` is made last, when everything else of a folder is on disk.

The mailbox A/B is the folder `.A.B` of the Maildir, and INBOX is the Maildir itself, as with Dovecot's default settings. Each
name is looked up in an open folder, and no symbolic link is followed, except that a folder may be a link to another folder
of the same Maildir (`.Spam -> .Junk`). So nothing is written outside of the Maildir, even if somebody changes it meanwhile.

Threads and processes may store at the same time; only subscriptions are locked. Not supported: quotas (`maildirsize`), keywords
(`dovecot-keywords`), mailbox ids, special-use attributes (`special_uses` are the site's).
"""

from __future__ import annotations

import errno
import functools
import itertools
import logging
import os
import re
import time
from binascii import b2a_base64
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

from sieveav.frontends.failure import Failure
from sieveav.printing import printable
from sieveav.running.effects import folders_of, mailbox_key

_log = logging.getLogger(__name__)

ENTRY_LENGTH = 255
"""Octets of the name of one entry of a folder; more is possible on no common file system."""

HOST_LENGTH = 64
"""Octets of a host's name in the names of files, as in Linux."""

SHOWN_LENGTH = 60
"""Characters of a mailbox's name in a failure."""

LEFTOVER_AGE = 36 * 60 * 60
"""Seconds after which a file in `tmp` is a leftover: the 36 hours of the Maildir specification."""

CLEANING = 256
"""The first of so many messages of this process has leftovers removed from the `tmp` that it used."""

LEFTOVERS = 1000
"""Files that are looked at then, at most."""

SUBSCRIPTIONS_SIZE = 1024 * 1024
"""Octets of the largest file of subscriptions that gets another line."""

LOCK_TRIES = 20
LOCK_PAUSE = 0.05
"""How often to try to lock the subscriptions, and the seconds between two tries."""

_LETTERS = {"\\draft": "D", "\\flagged": "F", "$forwarded": "P", "\\answered": "R", "\\seen": "S", "\\deleted": "T"}
"""IMAP flag, in lower case -> its letter in the names of files. All other flags are keywords, which are dropped."""

_PERMANENT = {errno.ENAMETOOLONG, errno.EFBIG}
"""Errors that remain when the message is stored again. A full quota may pass (RFC 3463, 3.3: X.2.2)."""

_TEXTS = {
    errno.ENOENT: "part of the Maildir is missing",
    errno.ENOTDIR: "part of the Maildir is a symbolic link or not a folder",
}
"""Error -> what it means here, if the system's own text does not say it."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class Maildir:
    """One recipient's Maildir++ at `path`, which may be a symbolic link. `make`: make it, and the folders above it, if it
    does not exist."""

    def __init__(self, path: str | Path, *, make: bool = False) -> None:
        self._path = Path(path).absolute()
        self._make = make

    def store(
        self,
        mailbox: str | None,
        message: bytes | Iterable[bytes],
        *,
        flags: tuple[str, ...] = (),
        create: bool = False,
        date: float | None = None,
        size: int = 0,
    ) -> Failure | None:
        """Store `message` in `mailbox`, or in INBOX if `mailbox` is None. Returns None when the message is safe on disk.

        `mailbox` is a name that a script has chosen, with "/" between its parts. `flags` are IMAP flags. `create`: create
        the mailbox if it does not exist, and subscribe to it. `date` is the time of arrival that mail clients show (IMAP's
        INTERNALDATE), in seconds since 1970; None is now. The octets of the message, line ends too, are stored unchanged; it
        may be given in pieces, then `size` is their length together.

        After a failure the message is not in the mailbox. There is one exception: it was renamed, the sync failed, and it
        could not be removed, because a mail client had moved it or the disk is broken.
        """
        name = mailbox_key(mailbox)
        shown = printable(name, "?", SHOWN_LENGTH)
        folder = folder_name(name)
        if folder is None:
            return Failure(False, f'invalid mailbox name "{shown}"')
        try:
            with ExitStack() as stack:
                root = self._open(stack)
                if root is None:
                    return Failure(True, "the Maildir does not exist")
                place = self._open_folder(stack, root, folder, create=create) if folder else root
                if place is None:
                    return Failure(False, f'mailbox "{shown}" does not exist')
                pieces = [message] if isinstance(message, bytes) else message
                octets = len(message) if isinstance(message, bytes) else size
                _store(stack, place, pieces, octets, letters_of(flags), date)
        except OSError as error:
            text = _TEXTS.get(error.errno or 0) or error.strerror or "input/output error"
            reason = text[:1].lower() + text[1:]
            return Failure(error.errno not in _PERMANENT, f'cannot store in mailbox "{shown}": {reason}')
        return None

    def has(self, mailbox: str) -> bool:
        """Whether a mailbox exists and mail can be stored in it."""
        folder = folder_name(mailbox_key(mailbox))
        if folder is None:
            return False
        with ExitStack() as stack, suppress(OSError):
            root = self._open(stack)
            if root is not None:
                return self._open_folder(stack, root, folder, create=False) is not None if folder else True
        return False

    def _open(self, stack: ExitStack) -> int | None:
        """Open the Maildir; None if it does not exist."""
        with suppress(FileNotFoundError):
            return _kept(stack, os.open(self._path, _FOLDER))
        if not self._make:
            return None
        _make_with_parents(self._path)
        return _kept(stack, os.open(self._path, _FOLDER))

    def _open_folder(self, stack: ExitStack, root: int, name: str, *, create: bool) -> int | None:
        """Open a folder of the Maildir; None if it does not exist."""
        is_new = create and _make(name, root)
        try:
            folder = _kept(stack, _open_entry(name, root))
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            folder = _kept(stack, _open_entry(_linked(name, root), root))
        if is_new:
            _close(os.open("maildirfolder", _NEW & ~os.O_EXCL, 0o600, dir_fd=folder))
            try:
                _subscribe(root, name)
            except OSError as error:  # the mailbox exists, and messages in it are safe
                _log.warning("%s: cannot subscribe to %s: %s", printable(str(self._path)), name, error.strerror)
        return folder


# ---- names


def folder_name(mailbox: str) -> str | None:
    """The name of a mailbox's folder, "" for INBOX. None if it cannot have one: a part is empty, contains a dot or what
    separates parts of paths; the name is too long; or it begins with "~", because Dovecot would not open the mailbox.
    `mailbox` is what `mailbox_key` returns."""
    if mailbox == "INBOX":
        return ""
    parts = folders_of(mailbox)
    if parts is None or "." in mailbox or mailbox[0] == "~":
        return None
    name = "".join([f".{modified_utf7(part)}" for part in parts])
    return name if len(name) <= ENTRY_LENGTH else None


_SHIFTED = re.compile(r"&|[^ -~]+")


def modified_utf7(text: str) -> str:
    """`text` in IMAP's encoding of mailbox names (RFC 3501, 5.1.3), which is printable ASCII."""
    return _SHIFTED.sub(_shift, text)


def _shift(match: re.Match[str]) -> str:
    if match[0] == "&":
        return "&-"
    base64 = b2a_base64(match[0].encode("utf-16-be"), newline=False).decode()
    return f"&{base64.rstrip('=').replace('/', ',')}-"


def letters_of(flags: tuple[str, ...]) -> str:
    """The letters of IMAP flags in the name of a file, sorted."""
    return "".join(sorted({_LETTERS[flag.lower()] for flag in flags if flag.lower() in _LETTERS}))


_numbers = itertools.count()
"""Numbers of the messages that this process stores. Names differ between threads, and if the clock goes back."""


def unique_name(number: int, size: int) -> str:
    """The name of a file that no other process or host uses, for a message of `size` octets."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{seconds}.M{nanoseconds // 1000}P{os.getpid()}Q{number}.{_host()},S={size}"


@functools.cache
def _host() -> str:
    """This host's name. What may not be in the name of a file is escaped as in the Maildir specification: "/" is \\057."""
    name = os.uname().nodename.encode("ascii", "replace").decode()
    return re.sub(r"[^A-Za-z0-9.-]", lambda match: f"\\{ord(match[0]):03o}", name)[:HOST_LENGTH]


# ---- folders


def _kept(stack: ExitStack, folder: int) -> int:
    """`folder`, which is closed at the end of `stack`."""
    stack.callback(_close, folder)
    return folder


def _close(file: int) -> None:
    """Close a folder, or a file that is empty. An error loses nothing."""
    with suppress(OSError):
        os.close(file)


def _sync(folder: int) -> None:
    """Wait until the entries of a folder are on disk. Some file systems (CIFS) cannot sync folders."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def _sync_path(path: str | Path, at: int | None = None) -> None:
    folder = os.open(path, _FOLDER, dir_fd=at)
    try:
        _sync(folder)
    finally:
        _close(folder)


def _open_entry(name: str, at: int) -> int:
    """Open a folder in another. NotADirectoryError if it is a symbolic link or a file."""
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=at)


def _make(path: str | Path, at: int | None = None) -> bool:
    """Make a folder; False if it exists."""
    try:
        os.mkdir(path, 0o700, dir_fd=at)
    except FileExistsError:
        return False
    return True


def _make_with_parents(path: Path) -> None:
    """Make a folder, and those above it that do not exist; sync the parent of each."""
    try:
        _make(path)
    except FileNotFoundError:
        _make_with_parents(path.parent)
        _make(path)
    _sync_path(path.parent)


def _linked(name: str, root: int) -> str:
    """The folder of a Maildir that the symbolic link `name` leads to. OSError if it leads elsewhere or is not a link."""
    try:
        target = os.readlink(name, dir_fd=root)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise NotADirectoryError(errno.ENOTDIR, "neither a folder nor a symbolic link") from None
    if not target.startswith(".") or "/" in target or target in (".", ".."):
        raise OSError(errno.ELOOP, "a symbolic link does not name another folder of the Maildir")
    return target


def _complete(folder: int) -> None:
    """Make the folders for messages that `folder` lacks. `tmp` is the last: nothing can be stored before the others are on
    disk, whoever made them."""
    _make("cur", folder)
    _make("new", folder)
    _sync(folder)
    _sync_path("..", folder)
    _make("tmp", folder)


# ---- messages


def _store(stack: ExitStack, folder: int, pieces: Iterable[bytes], size: int, letters: str, date: float | None) -> None:
    """Store a message in a folder. OSError if it is not there."""
    destination = "cur" if letters else "new"
    try:
        tmp, target = _open_both(stack, folder, destination)
    except FileNotFoundError:
        _complete(folder)
        tmp, target = _open_both(stack, folder, destination)
    number = next(_numbers)
    name = unique_name(number, size)
    final = f"{name}:2,{letters}" if letters else name
    file = os.open(name, _NEW, 0o600, dir_fd=tmp)
    try:
        _write(file, pieces, date)
        os.rename(name, final, src_dir_fd=tmp, dst_dir_fd=target)
        _sync(target)
    except BaseException:
        _remove(final, target)  # also after an error of rename: over NFS it may have succeeded
        _remove(name, tmp)
        raise
    if number % CLEANING == 0:
        _clean(tmp)


def _open_both(stack: ExitStack, folder: int, destination: str) -> tuple[int, int]:
    return _kept(stack, _open_entry("tmp", folder)), _kept(stack, _open_entry(destination, folder))


def _write(file: int, pieces: Iterable[bytes], date: float | None = None) -> None:
    """Write octets to disk, and close their file."""
    try:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(file, rest) :]
        if date is not None:
            os.utime(file, (date, date))
        os.fsync(file)
    finally:
        os.close(file)


def _remove(name: str, folder: int) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=folder)


def _clean(tmp: int) -> None:
    """Remove the files in `tmp` that processes left there when they were killed. Their age is that of their last change,
    because the date of a file is that of its message."""
    oldest = time.time_ns() // 1_000_000_000 - LEFTOVER_AGE
    with suppress(OSError), os.scandir(tmp) as entries:
        for entry in itertools.islice(entries, LEFTOVERS):
            with suppress(OSError):  # it was renamed meanwhile
                if entry.stat(follow_symlinks=False).st_ctime < oldest:
                    os.unlink(entry.name, dir_fd=tmp)


# ---- subscriptions: Dovecot's file, and its lock, a file that becomes the new subscriptions

_SUBSCRIPTIONS = "subscriptions"
_LOCK = "subscriptions.lock"

_VERSION_2 = b"V\t2\n\n"


def _subscribe(root: int, folder: str) -> None:
    """Add a folder to the subscriptions of a Maildir. OSError if that is not possible."""
    _lock(root)
    try:
        subscriptions = _subscribed(_subscriptions(root), folder[1:].encode())
        _write(os.open(_LOCK, os.O_WRONLY | os.O_NOFOLLOW, dir_fd=root), [subscriptions])
        os.rename(_LOCK, _SUBSCRIPTIONS, src_dir_fd=root, dst_dir_fd=root)
    except BaseException:
        _remove(_LOCK, root)
        raise


def _lock(root: int) -> None:
    for _ in range(LOCK_TRIES):
        with suppress(FileExistsError):
            _close(os.open(_LOCK, _NEW, 0o600, dir_fd=root))
            return
        time.sleep(LOCK_PAUSE)
    raise FileExistsError(errno.EEXIST, f"{_LOCK} exists")


def _subscriptions(root: int) -> bytes:
    """The file of subscriptions, b"" if there is none."""
    try:
        file = os.open(_SUBSCRIPTIONS, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=root)
    except FileNotFoundError:
        return b""
    try:
        octets = os.read(file, SUBSCRIPTIONS_SIZE + 1)
    finally:
        _close(file)
    if len(octets) > SUBSCRIPTIONS_SIZE:
        raise OSError(errno.EFBIG, "too many subscriptions")
    return octets


def _subscribed(subscriptions: bytes, mailbox: bytes) -> bytes:
    """The subscriptions, one a line, with another. Its parts are separated by tabs; before version 2, by dots."""
    subscriptions = subscriptions or _VERSION_2
    line = mailbox.replace(b".", b"\t") if subscriptions.startswith(_VERSION_2) else mailbox
    lines = subscriptions.removesuffix(b"\n").split(b"\n")
    return subscriptions if line in lines else b"\n".join([*lines, line, b""])
