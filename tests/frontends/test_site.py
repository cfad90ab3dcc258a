"""A whole site, as README says: Postfix asks the milter, and delivers by LMTP; clamd scans."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from support import postfix as support
from support.daemons import EICAR, need
from support.postfix import free_port

pytestmark = pytest.mark.real

CONFIG = """
sieveav {{ workers = 1 }}
clamav {{}}
antivirus "a" {{ clamav "clamav1" {{ daemon = "{clamd}" action = "pass" timeout = 5 }} }}
sieve "s" {{ script "data_phase1" {{ source = "policy.sieve" }} }}
users {{ scripts = "{base}/%n.sieve" }}
state {{ store = "sqlite:{base}/state.db" }}
milter "m1" {{ listen = "inet:127.0.0.1:{milter}" refuse_only = true }}
lmtp "l1" {{
    listen = "inet:127.0.0.1:{lmtp}" deliver = "maildir:{base}/mail/%d/%n" create = true submit = "smtp:127.0.0.1:{submission}"
}}
"""

POLICY = """require ["antivirus", "ec_action", "vctx", "variables", "editheader"];
if antivirus "infected" { ec_action 550 "5.7.1 We do not accept ${vctx.clamav_status_info}"; }
if not antivirus "clean" { ec_action 451 "4.7.1 The message cannot be scanned now"; }
addheader "X-Scanned" "yes";
"""

SCRIPTS = {
    "carol": 'require ["fileinto", "mailbox"]; fileinto :create "Lists";',
    "dave": 'redirect "other@example.net";',
    "erin": 'require "ereject"; ereject "not here";',
}

CLEAN = "From: bob@example.net\nTo: alice@example.com\nSubject: hi\nMessage-Id: <1@example.net>\n\nHello.\n"


class Site:
    """Postfix, clamd and sieveav, and swaks as the client."""

    def __init__(self, base: Path, postfix: support.Postfix, clamd: Any) -> None:
        self.base = base
        self.postfix = postfix
        self.clamd = clamd

    def swaks(self, message: str, *names: str) -> str:
        """What the client hears last, and its exit status."""
        path = self.base / "message.eml"
        path.write_text(message)
        command = ["swaks", "--server", "127.0.0.1", "--port", str(self.postfix.port), "--from", "bob@example.net"]
        recipients = ",".join(f"{name}@example.com" for name in names)
        done = subprocess.run(
            [*command, "--to", recipients, "--data", f"@{path}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        replies = [line[4:] for line in done.stdout.splitlines() if line.startswith(("<-  ", "<** "))]
        return f"{done.returncode}: {[reply for reply in replies if not reply.startswith('221')][-1]}"

    def stored(self, name: str, folder: str = "", seconds: float = 10) -> str:
        """The only message in a folder, once it is there."""
        new = self.base / "mail" / "example.com" / name / folder / "new"
        until = time.monotonic() + seconds
        while not (new.is_dir() and list(new.iterdir())):
            assert time.monotonic() < until, self.postfix.log
            time.sleep(0.05)
        (path,) = new.iterdir()
        return path.read_text()


@pytest.fixture
def whole(start_clamd: Callable[..., Any]) -> Iterator[Site]:
    need(support.is_installed(), "postfix (or root, who starts it)")
    need(shutil.which("swaks") is not None, "swaks")
    with ExitStack() as stack:
        base = Path(stack.enter_context(TemporaryDirectory(prefix="postfix-")))
        base.chmod(0o755)
        clamd = start_clamd()
        ports = {name: free_port() for name in ("milter", "lmtp", "submission")}
        for name, script in {"policy": POLICY, **SCRIPTS}.items():
            (base / f"{name}.sieve").write_text(script)
        (base / "site.conf").write_text(CONFIG.format(base=base, clamd=clamd.socket, **ports))
        log = stack.enter_context((base / "serve.log").open("w"))
        process = subprocess.Popen(
            [sys.executable, "-m", "sieveav", "serve", "--config", base / "site.conf"], stderr=log
        )
        stack.callback(process.wait, 40)
        stack.callback(process.terminate)
        until = time.monotonic() + 30
        while "is ready" not in (base / "serve.log").read_text():
            assert process.poll() is None, (base / "serve.log").read_text()
            assert time.monotonic() < until, (base / "serve.log").read_text()
            time.sleep(0.05)
        (base / "postfix").mkdir()
        milter, lmtp = (f"inet:127.0.0.1:{ports[name]}" for name in ("milter", "lmtp"))
        postfix = support.postfix(base / "postfix", milter, lmtp, ports["submission"])
        yield Site(base, stack.enter_context(postfix), clamd)


def test_a_site(whole: Site) -> None:
    virus = CLEAN.replace("Hello.", EICAR.decode())
    refused = "550 5.7.1 We do not accept Eicar-Test-Signature.UNOFFICIAL"
    assert whole.swaks(virus, "alice", "carol") == f"26: {refused}"
    assert whole.swaks(CLEAN, "erin") == "26: 550 5.7.1 not here"
    assert whole.swaks(CLEAN, "alice", "carol", "dave", "erin").startswith("0: 250 2.0.0 Ok: queued as")
    assert "\nX-Scanned: yes\n" in whole.stored("alice")
    assert "\nX-Scanned: yes\n" in whole.stored("carol", ".Lists")
    redirected, notice = sorted(whole.postfix.delivered(2), key=lambda message: str(message["Subject"]), reverse=True)
    assert (redirected["Subject"], redirected["X-Scanned"], redirected["Delivered-To"]) == (
        "hi",
        "yes",
        "other@example.net",
    )
    assert notice["Delivered-To"] == "bob@example.net"
    assert "not here" in notice.as_string()
    whole.clamd.signal(9)
    assert whole.swaks(CLEAN.replace("1@", "2@"), "alice") == "26: 451 4.7.1 The message cannot be scanned now"
    assert whole.postfix.queue_is_empty()
