"""csapi: Symantec's scanner, by Symantec Protection Engine over ICAP, or by a program that is linked with the vendor's kit.

CSAPI is a library without a protocol of its own. Protection Engine has the same scanner and is asked as `icap` does it. With
`scanner_path`, a program of the site's is asked instead (`program_lines`); it is tested with one that pretends to have the kit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sieveav.engines import icap
from sieveav.options import DURATION, FILE, PATH, SECONDS, SIZE, Option, integer
from sieveav.scanning import programs
from sieveav.scanning.contract import Engine, EngineType

LARGEST = 4_294_967_294
"""The most octets of one of the kit's bounds."""

CUMULATIVE = 209_715_200


def _size(text: str) -> int:
    size = int(SIZE.read(text))
    if size > LARGEST:
        raise ValueError(f"{size} is more than {LARGEST}")
    return size


_SIZE = replace(SIZE, read=_size)

KIT = (
    Option(
        "max_cumulative_extract_size",
        replace(_SIZE, read=lambda text: _size(text) or CUMULATIVE),
        CUMULATIVE,
        f"octets that the kit extracts from one content; 0: {CUMULATIVE}",
    ),
    Option("max_extract_depth", integer(1, 50), 10, "containers within containers that the kit opens"),
    Option("max_extract_size", _SIZE, 104_857_600, "octets of one file that the kit extracts"),
    Option("max_extract_time", DURATION, 180.0, "for the extraction of one content by the kit"),
    Option("max_file_count", integer(1, LARGEST), 5000, "files that the kit extracts from one content"),
    Option("scanner_log", PATH, None, "the file that the kit logs to"),
    Option(
        "update_interval", SECONDS, 86_400.0, "for how long the kit uses its definitions before it looks for others"
    ),
)
"""Options that the kit heeds: the program gets them with its first request."""

_with_kit = programs.maker(*(option.name for option in KIT))


def _make(name: str, values: Mapping[str, Any]) -> Engine:
    if values["scanner_path"] is not None:
        return _with_kit(name, {**values, "command": (str(values["scanner_path"]),), "inline": False})
    for option in KIT:
        if values[option.name] != option.default:
            raise ValueError(f"{option.name}: this needs scanner_path; over ICAP, it is set in the server")
    return icap.engine.make(name, {**values, "profile": "symantec"})


engine = EngineType(
    name="csapi",
    summary="Symantec's scanner, by Protection Engine over ICAP, or by a program that is linked with the vendor's kit",
    pool="IO",
    options=(
        *(option for option in icap.engine.options if option.name != "profile"),
        Option(
            "scanner_path",
            FILE,
            None,
            "a program of the site's, linked with the kit, that is asked instead of a server",
        ),
        replace(programs.CONCURRENCY, default=1, meaning=f"{programs.CONCURRENCY.meaning}; it should be set"),
        *KIT,
    ),
    make=_make,
    punctual=True,
    opens=icap.engine.opens,
    details=(
        "Without scanner_path, a Symantec Protection Engine is asked over ICAP: see sieveav explain icap. With it, the program"
        " is asked as sieveav explain program says, and gets the options max_cumulative_extract_size to update_interval with"
        " its first request; over ICAP, these are set in the server."
    ),
)
