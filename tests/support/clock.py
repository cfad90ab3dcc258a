"""clock: a clock for runs of scripts that counts how often it is looked at, so that tests of time limits need no time."""

from __future__ import annotations

import pytest

from sieveav.running import run


class Clock:
    """Takes the place of the clock of runs: each look takes `step` seconds, `pass_by` lets more go by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: float = 0.0) -> None:
        self.looks = 0
        self._now = 0.0
        self._step = step
        monkeypatch.setattr(run, "time", self)

    def monotonic(self) -> float:
        self.looks += 1
        self.pass_by(self._step)
        return self._now

    def pass_by(self, seconds: float) -> None:
        """Let time go by."""
        self._now += seconds
