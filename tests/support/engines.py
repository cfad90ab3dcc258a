"""engines: engines that answer as a test arranges."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from sieveav.options import TEXT, Option
from sieveav.scanning.contract import Content, Deadline, EngineType
from sieveav.verdict import Status, Verdict


class Engine:
    """Answers what `said` has for its name, and records that it was asked."""

    def __init__(self, name: str, said: dict[str, tuple[str, str]], asked: list[str], seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self.said = said
        self.asked = asked

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        assert isinstance(content.raw, bytes)
        assert deadline.left() > 0
        self.asked.append(self.name)
        time.sleep(self.seconds)
        status, info = self.said.get(self.name, ("clean", ""))
        return Verdict(self.name, Status(status), info)

    def version(self, deadline: Deadline) -> str:  # noqa: ARG002
        return "1"


class Engines:
    """The engine types `av` and `f-secure`. `said` is what each engine answers, by its name (by default `clean`), `asked` the
    names of those asked, in order."""

    def __init__(self) -> None:
        self.said: dict[str, tuple[str, str]] = {}
        self.asked: list[str] = []
        self.seconds = 0.0
        """How long a scan takes, for engines made from now on."""
        self.kinds = {name: self._kind(name) for name in ("av", "f-secure")}

    def _kind(self, name: str) -> EngineType:
        def make(called: str, options: Mapping[str, Any]) -> Engine:
            if options["mood"] == "bad":
                raise ValueError("in a bad mood")
            return Engine(called, self.said, self.asked, self.seconds)

        return EngineType(name, "for tests", "CPU", (Option("mood", TEXT, "good", "for tests"),), make, cacheable=False)
