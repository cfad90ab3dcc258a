"""What the tests of the site share: engines that say what the test puts in, and sites made of configurations."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sieveav.engines.contract import Content, Deadline, EngineKind
from sieveav.options import TEXT, Option
from sieveav.site.deciding import Decision, Transaction, decide
from sieveav.site.site import Site, load
from sieveav.verdict import Status, Verdict


class Engine:
    """Says what `said` has for its name, and keeps what it was asked."""

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
    """The kinds of engine `av` and `f-secure`. `said` is what each engine says, by its name (`clean` where it has
    nothing), `asked` the names of those asked, in order."""

    def __init__(self) -> None:
        self.said: dict[str, tuple[str, str]] = {}
        self.asked: list[str] = []
        self.seconds = 0.0
        """What a scan takes, of engines made from now on."""
        self.kinds = {name: self._kind(name) for name in ("av", "f-secure")}

    def _kind(self, name: str) -> EngineKind:
        def make(called: str, options: Mapping[str, Any]) -> Engine:
            if options["mood"] == "bad":
                raise ValueError("in a bad mood")
            return Engine(called, self.said, self.asked, self.seconds)

        return EngineKind(name, "for tests", "CPU", (Option("mood", TEXT, "good", "for tests"),), make, cacheable=False)


@pytest.fixture
def engines() -> Engines:
    return Engines()


@pytest.fixture
def site(tmp_path: Path, engines: Engines) -> Callable[..., Site]:
    """Makes a site of a configuration and scripts by their file names: site(config, {"a.sieve": "keep;"}). The name of a
    script in the configuration is relative to them. Without a stanza for an engine of its own it has av, passive."""

    def make(config: str = "", scripts: Mapping[str, str] | None = None) -> Site:
        for name, text in (scripts or {}).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if "av" not in config:
            config += '\nav {} antivirus "a" { av "av1" { enabled = false } }'
        (tmp_path / "site.conf").write_text(config)
        made, _, _ = load(tmp_path / "site.conf", kinds=engines.kinds)
        return made

    return make


@pytest.fixture
def decided() -> Callable[..., Decision]:
    """What a site decides for one message to recipients."""

    def decided(
        site: Site, *recipients: str, raw: bytes = b"Subject: x\n\nHi.\n", sender: str = "bob@example.org", **more: Any
    ) -> Decision:
        context = more.pop("context", None)
        transaction = Transaction(
            raw, sender, recipients or ("alice@example.com",), **({"context": context} if context else {})
        )
        return decide(site, transaction, **more)

    return decided


@pytest.fixture
def shown() -> Callable[..., list[str]]:
    """What is decided for each recipient, in short."""

    def shown(decision: Decision) -> list[str]:
        if decision.response is not None:
            assert all(not one.outcome.actions and one.response is None for one in decision.recipients)
            return [f"all {decision.response.code} {decision.response.enhanced} {decision.response.text}"]
        found = []
        for one in decision.recipients:
            name = one.recipient.partition("@")[0]
            if one.response is not None:
                found.append(f"{name} {one.response.code} {one.response.enhanced} {one.response.text}")
            for action in one.outcome.actions:
                what = "".join(str(v) for k, v in action.as_json().items() if k in ("mailbox", "address"))
                found.append(f"{name} {'implicit ' if action.implicit else ''}{action.name} {what}".strip())
        return found

    return shown
