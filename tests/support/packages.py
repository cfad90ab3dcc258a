"""packages: third-party packages as pip would have installed them, and sieveav run beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, distribution: str, entry_points: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Install `files` (name -> text) in `folder`, which is to be on the path, with an entry point for each group."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    metadata = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    groups = "".join(f"[{group}]\nmain = {value}\n" for group, value in entry_points.items())
    (metadata / "entry_points.txt").write_text(groups)


def sieveav(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with what is installed in `folder`, and there."""
    return _run(folder, ["-m", "sieveav", *arguments], stdin)


def python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code likewise."""
    return _run(folder, ["-c", code])


def _run(folder: Path, arguments: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder, check=False, timeout=60, input=stdin
    )
