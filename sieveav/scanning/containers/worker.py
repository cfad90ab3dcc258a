"""worker: a helper process: requests on its standard input into frames on its standard output, a child process for each.

The child may do nothing but read the archive from memory and write frames: what makes the library crash, loop or allocate ends
the child, and then the helper, whose exit status says which it was.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from sieveav.scanning.containers.frames import CPU, END, FAULT, FRAME, LIMIT, LIMITED, MEMORY, MISSING, REQUEST

LIBRARY = "libarchive.so.13"
"""Its name on every system with glibc or musl. Without it, libarchive-c starts a compiler to find out."""

DESCRIPTORS = 16
"""Files that the child may open: iconv, which converts names, reads its tables from files."""

NOBODY = 65534
"""The user and the group that the child of a helper of root belongs to: root may start any number of processes."""

_EXITED_BY_LIBRARY = 1
"""The exit status with which libarchive ends the process, which it does when it gets no memory for a string."""

_OVER = (_EXITED_BY_LIBRARY, -signal.SIGXCPU, -signal.SIGKILL)
"""How a child ends that needs too much: SIGKILL comes from the kernel, for lack of memory or a second after SIGXCPU."""


def main() -> None:
    """Answer requests up to the end of the standard input."""
    os.environ.setdefault("LIBARCHIVE", LIBRARY)
    try:
        from sieveav.scanning.containers.reading import read
    except (ImportError, OSError, AttributeError):  # AttributeError: a library without a function that is declared
        sys.exit(MISSING)
    requests = sys.stdin.buffer
    while len(request := requests.read(REQUEST.size)) == REQUEST.size:
        kind, seconds, size = REQUEST.unpack(request)
        archive = requests.read(size)
        if len(archive) < size:
            return
        _in_child(partial(read, kind.rstrip(b"\0").decode(), archive, send), seconds)
        send(END)


def send(kind: bytes, octets: bytes | memoryview = b"") -> None:
    """Write a frame."""
    rest = memoryview(FRAME.pack(kind, len(octets)) + octets)
    while rest:
        rest = rest[os.write(1, rest) :]


def _in_child(read: Callable[[], None], seconds: float) -> None:
    """Call `read` in a child process. Exits if the child does not end in order."""
    process = os.fork()
    if process == 0:
        try:
            _confine(seconds)
            _say_how(read)
            os._exit(0)
        finally:
            os._exit(2)
    _, status = os.waitpid(process, 0)
    if ended := os.waitstatus_to_exitcode(status):
        sys.exit(LIMITED if ended in _OVER else 2)


def _say_how(read: Callable[[], None]) -> None:
    """Call `read`, and write a frame if it fails."""
    try:
        read()
    except MemoryError:
        send(LIMIT)
    except Exception:  # of a malformed archive: as many types as for layers.safely
        send(FAULT)


def _confine(seconds: float) -> None:
    """Give up all that reading an archive does not need."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 2):  # the input has the requests; what the library complains about is said in frames
        os.dup2(null, standard)
    os.close(null)
    time = max(1, math.ceil(min(seconds, CPU)))
    for limited, soft, hard in (
        (resource.RLIMIT_CPU, time, time + 1),
        (resource.RLIMIT_AS, MEMORY, MEMORY),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS),
        (resource.RLIMIT_NPROC, 0, 0),
    ):
        _, most = resource.getrlimit(limited)
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(limited, (soft, hard))
    if os.geteuid() == 0:
        with suppress(OSError):  # a container may have no other user
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
