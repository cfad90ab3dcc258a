"""containers: helpers that open archives, with the system's libarchive, by scripts of the tests, or without any library."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from sieveav.scanning.containers.frames import MISSING
from sieveav.scanning.containers.helpers import Helpers
from sieveav.scanning.containers.worker import LIBRARY
from support.daemons import need

WITHOUT_LIBRARIES = Helpers((sys.executable, "-I", "-S", "-c", f"raise SystemExit({MISSING})"))
"""What there is without the extra `containers`."""


def need_libraries() -> None:
    """Skip a test, or fail it where real daemons are required, if the libraries of the extra are not installed."""
    need(all(map(importlib.util.find_spec, ("libarchive", "rarfile"))), "the extra containers")
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        need(False, "libarchive (Debian's libarchive13)")


def packed(directory: Path, *command: str) -> None:
    """Run a program that packs, in `directory`; if it is not installed, as `need_libraries`."""
    need(shutil.which(command[0]) is not None, command[0])
    subprocess.run(command, cwd=directory, check=True, capture_output=True, timeout=60)
