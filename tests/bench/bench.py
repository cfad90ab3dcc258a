"""bench: what a message costs, as a table: `python tests/bench/bench.py [MESSAGES]`.

A corpus is generated, the same every time: messages of 2 to 50 KB with 23 header fields on average, and a script of 25
rules that look at headers, addresses and the size. Each figure is the best of several rounds, for these machines are
noisy; a run on a machine of your own says more than figures in a document. Where clamd is installed, it is started with a
small database for the rows about scans.
"""

from __future__ import annotations

import itertools
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sieveav.language.checking import check
from sieveav.language.program import Program
from sieveav.language.vocabulary import Vocabulary
from sieveav.running.base import base
from sieveav.running.executing import execute
from sieveav.running.message import Message
from sieveav.running.questions import Context, Envelope
from sieveav.running.run import Case
from sieveav.site.deciding import decide
from sieveav.site.library import Library
from sieveav.site.site import load
from sieveav.site.transaction import Transaction
from sieveav.verdict import Status

ROUNDS = 9

ENVELOPE = Envelope("sender@example.org", "alice@example.com")
NOBODY: Any = None
"""The host: none of the rules asks it."""


def message(number: int, chance: random.Random) -> bytes:
    """One message: some 23 fields, two of them folded, one in five with an encoded Subject."""
    word = chance.choice(("invoice", "meeting", "build", "newsletter", "question"))
    subject = f"=?utf-8?q?{word}_f=C3=BCr_{number}?=" if number % 5 == 0 else f"Re: {word} number {number} of this year"
    fields = [f"Return-Path: <bounce-{number}@lists.example.org>", "Delivered-To: alice@example.com"]
    for hop in range(chance.randint(2, 5)):
        fields.append(
            f"Received: from mx{hop}.example.net (mx{hop}.example.net [192.0.2.{hop}])\r\n"
            f"\tby mail.example.com (Postfix) with ESMTPS id {number * 7 + hop:08X}\r\n"
            "\tfor <alice@example.com>; Mon, 23 Nov 2026 06:09:23 +0000 (UTC)"
        )
    fields += [
        f'From: "Sender {number}" <sender{number}@example.org>',
        "To: Alice <alice@example.com>, bob@example.com",
        f"Subject: {subject}",
        "Date: Mon, 23 Nov 2026 06:09:23 +0000",
        f"Message-ID: <{number}.abc@example.org>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "X-Mailer: Mailer 1.0",
        f"List-Id: <list{number % 30}.example.org>",
    ]
    fields += [f"X-Header-{i}: value {i} that nobody looks at, {'x' * 30}" for i in range(chance.randint(5, 10))]
    body = "A line of text as people write it, more or less.\r\n" * chance.randint(10, 960)
    return ("\r\n".join(fields) + "\r\n\r\n" + body).encode()


def script() -> bytes:
    """25 rules of five kinds, none of which matches but the last."""
    rules = (
        'if header :contains "subject" "offer{0}" {{ fileinto "a{0}"; stop; }}',
        'if address :domain :is "from" "dom{0}.example" {{ fileinto "b{0}"; stop; }}',
        'if header :is "list-id" "<list{0}.example.net>" {{ fileinto "c{0}"; stop; }}',
        'if header :matches "x-mailer" "*Bulk*{0}*" {{ fileinto "d{0}"; stop; }}',
        'if anyof (header :contains ["to", "cc"] "team{0}@", size :over {0}M) {{ fileinto "e{0}"; stop; }}',
    )
    lines = ['require "fileinto";', *(rules[i % 5].format(i + 1) for i in range(25))]
    return "\n".join(lines).encode()


RULES = (
    'if header :contains "subject" "number" {{ {0} }}',
    'if address :domain :is "from" "example.org" {{ {1} }}',
    'if header :contains "list-id" "example" {{ {2} }}',
    'if header :matches "x-mailer" "*ailer*1*" {{ {3} }}',
    'if header :matches "x-header-1" "value*" {{ {4} }}',
)
"""Five rules that act on nearly every message."""

ACTIONS = {
    "... five of them file": ('"fileinto"', 'fileinto "box{0}";', "35"),
    "... with :copy": ('"fileinto", "copy"', 'fileinto :copy "box{0}";', "35"),
    "... imap4flags required": ('"fileinto", "imap4flags"', 'fileinto "box{0}";', "40"),
    "... a variable in the mailbox": ('"fileinto", "variables"', 'fileinto "x-${{1}}-{0}";', "90"),
}
"""Row -> the capabilities, the action, the aim in microseconds a message."""


def acting_script(capabilities: str, action: str) -> bytes:
    """The script of 25 rules with five of its rules in the place of others that do not match."""
    lines = script().decode().split("\n")[1:21]
    actions = [action.format(i) for i in range(len(RULES))]
    for i, rule in enumerate(RULES):
        lines.insert(5 * i, rule.format(*actions))
    return "\n".join([f"require [{capabilities}];", *lines]).encode()


def best(*works: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Seconds of the quickest of some rounds of each; they take turns, so that all meet the same noise."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, seconds in zip(works, found, strict=True):
            begun = clock()
            work()
            seconds.append(clock() - begun)
    return [min(seconds) for seconds in found]


def cold(directory: Path, text: bytes, raw: bytes) -> float:
    """Seconds of a whole `sieveav run`."""
    (directory / "bench.sieve").write_bytes(text)
    (directory / "bench.eml").write_bytes(raw)
    command = [
        sys.executable,
        "-P",
        "-m",
        "sieveav",
        "run",
        str(directory / "bench.sieve"),
        str(directory / "bench.eml"),
    ]
    return best(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))[0]


SCANS = 200
"""Messages of a round that are scanned."""

SCANNING = {
    "scan.conf": """clamav {{}} antivirus "a" {{ clamav "c" {{ daemon = "{0}" enabled = false }} }}
sieve "s" {{ script "data_phase1" {{ source = "scan.sieve" }} }}""",
    "scan.sieve": 'require ["antivirus", "ereject"]; if antivirus "infected" {{ ereject "infected"; }}',
}
"""The files of a site whose policy asks the clamd at a socket."""


def scans(directory: Path) -> list[tuple[str, float, str, str]]:
    """The rows about scans of 10 KB: the CPU time of this process, without that of clamd. None without clamd."""
    sys.path.append(str(Path(__file__).parents[1]))
    from support.daemons import clamd, clamd_program

    if clamd_program() is None:
        return []
    numbers = itertools.count()

    def messages() -> Iterator[bytes]:
        """No two are alike, so no verdict is remembered."""
        for _ in range(SCANS):
            yield b"From: a@example.org\r\nMessage-ID: <%d@example.org>\r\n\r\n%s" % (
                next(numbers),
                b"A line\r\n" * 1250,
            )

    def exchange() -> None:
        for raw in messages():
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(daemon.socket)
                connection.sendall(b"zINSTREAM\0" + struct.pack("!L", len(raw)) + raw + bytes(4))
                assert b"".join(iter(lambda: connection.recv(4096), b"")) == b"stream: OK\0"

    def decided() -> None:
        for raw in messages():
            decision = decide(site, Transaction(Message(raw), ENVELOPE.sender, (ENVELOPE.recipient,)))
            assert [verdict.status for verdict in decision.verdicts] == [Status.CLEAN]

    with clamd(directory) as daemon:
        for name, text in SCANNING.items():
            (directory / name).write_text(text.format(daemon.socket))
        site = load(directory / "scan.conf")
        bare, whole = best(exchange, decided, clock=time.process_time)
    return [
        ("an exchange with clamd", bare / SCANS * 1e6, "µs of CPU", ""),
        ("deciding with a scan by clamd", whole / SCANS * 1e6, "µs of CPU", "200"),
        ("... compared with the exchange", whole / bare, "times", "2"),
    ]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    chance = random.Random(5228)
    corpus = [message(number, chance) for number in range(count)]
    library = Library()
    text = script()
    program = check(text, "bench.sieve", Vocabulary([base], library)).program
    assert program is not None

    def handle(recipients: int) -> Callable[[], None]:
        """Index every message, one after the other as they come, and run the script for so many recipients."""

        def work() -> None:
            for raw in corpus:
                one = Message(raw)
                for _ in range(recipients):
                    execute(program, Case(one, ENVELOPE, NOBODY, Context())).with_implicit_keep()

        return work

    def act(program: Program) -> Callable[[], None]:
        """Run a script on messages whose answers are known already: what its actions cost."""

        def work() -> None:
            for one in warm:
                execute(program, Case(one, ENVELOPE, NOBODY, Context())).with_implicit_keep()

        return work

    warm = [Message(raw) for raw in corpus[:2000]]
    acting = []
    for capabilities, action, _ in ACTIONS.values():
        checked = check(acting_script(capabilities, action), "bench.sieve", Vocabulary([base], library)).program
        assert checked is not None
        acting.append(act(checked))
        acting[-1]()  # so that answers are known
    acted = [seconds / len(warm) * 1e6 for seconds in best(*acting)]
    index, first, both = (seconds / count * 1e6 for seconds in best(handle(0), handle(1), handle(2)))
    with tempfile.TemporaryDirectory() as directory:
        rows = [
            ("reading and indexing", index, "µs a message", "20"),
            ("running 25 rules", first - index, "µs a message", "20"),
            ("each further recipient", both - first, "µs a message", "15"),
            *(
                (name, cost, "µs a message", aim)
                for (name, (_, _, aim)), cost in zip(ACTIONS.items(), acted, strict=True)
            ),
            (
                "parsing and checking",
                best(lambda: check(text, "bench.sieve", Vocabulary([base], library)))[0] * 1e3,
                "ms a script",
                "5",
            ),
            ("cold start of sieveav run", cold(Path(directory), text, corpus[0]) * 1e3, "ms", "200"),
            *scans(Path(directory) / "scans"),
        ]
    fields = sum(len(values) for raw in corpus for values in Message(raw).fields.values()) / count
    print(f"{count} messages, {sum(map(len, corpus)) / count / 1024:.1f} KiB and {fields:.1f} fields on average")
    print(f"{'':<32}{'measured':>10}  {'':<14}{'aim':>5}")
    for name, value, unit, aim in rows:
        print(f"{name:<32}{value:>10.1f}  {unit:<14}{aim:>5}")


if __name__ == "__main__":
    main()
