"""What the tests of the site share: engines that say what the test puts in, and sites made of configurations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.engines import Engines

from sieveav.running.message import Message
from sieveav.running.questions import Context
from sieveav.site.deciding import decide
from sieveav.site.site import Site, load
from sieveav.site.transaction import Decision, Session, Transaction


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
        return load(tmp_path / "site.conf", engines=engines.kinds)

    return make


@pytest.fixture
def decided() -> Callable[..., Decision]:
    """What a site decides for one message to recipients."""

    def decided(
        site: Site, *recipients: str, raw: bytes = b"Subject: x\n\nHi.\n", sender: str = "bob@example.org", **more: Any
    ) -> Decision:
        context = more.pop("context", Context())
        session = Session(connection=dict(context.connection))
        transaction = Transaction(
            Message(raw), sender, recipients or ("alice@example.com",), session, dict(context.message)
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
