"""mailpath: what a message costs in the mail path, beside clamav-milter and Dovecot, as tables.

    .venv/bin/python tests/bench/mailpath.py [milter] [lmtp] [memory] [--rounds N] [--scale F]

Needs root, Postfix, and the packages clamav-daemon, clamav-milter, dovecot-lmtpd and dovecot-sieve; it starts all of them
itself, in a folder of its own. In each round every server has its turn, and the first one of a round changes: machines are
noisy, so compare ratios, which are medians over the rounds of one run, with the least and the greatest in brackets. No two
messages of a run are alike, so that no cache knows them; each server has handled some before it is measured.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

sys.path.remove(str(Path(__file__).parent))  # tests in the place of tests/bench, so that "bench" is the folder
sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import mail_servers as servers
from bench.bench import script
from bench.mail_clients import MilterClient, Target, attachment, give_all, letter
from support import daemons

CONCURRENCY = (1, 10)

CONNECTIONS = 50
CACHED = 10_000
HOUR = 18_000
LARGE = 100 * 1024 * 1024

CHANCE = random.Random(5321)


@dataclass
class Measured:
    """One server in one case: messages a second in each round, and milliseconds of its processor time for a message."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """A column of a table: connections at a time, recipients of a message, messages in a round."""

    concurrency: int
    recipients: int
    messages: int

    @property
    def title(self) -> str:
        recipients = f", {self.recipients} recipients" if self.recipients > 1 else ""
        return f"{self.concurrency} connection{'s' * (self.concurrency > 1)}{recipients}"


Row = tuple[Target, servers.Process | None]
"""Where mail is given, and the server whose processor time counts."""


def one_round(row: Row, case: Case, size: int) -> tuple[float, float]:
    """Messages a second, and milliseconds of the server's processor time for each."""
    target, process = row
    users = cycle(servers.ADDRESSES)
    mail = [(letter(size, CHANCE), list(islice(users, case.recipients))) for _ in range(case.messages)]
    before = process.cpu() if process else 0.0
    seconds = give_all(target, mail, case.concurrency)
    spent = process.cpu() - before if process else 0.0
    return case.messages / seconds, spent / case.messages * 1000


def compare(
    title: str,
    rows: Mapping[str, Row],
    reference: str,
    cases: Sequence[Case],
    size: int,
    rounds: int,
    settle: Callable[[], None],
) -> None:
    """Measure all rows in turn, and print them, each with the ratio to `reference`. `settle` waits until nothing is left to
    do of what was measured before."""
    print(f"\n{title}: messages a second, (ratio to {reference}), ms of the server's processor time a message")
    print(f"{'':<26}" + "".join(f"{case.title:<44}" for case in cases))
    found = [{name: Measured() for name in rows} for _ in cases]
    order = list(rows)
    for case in cases:
        for name in order:
            one_round(rows[name], Case(case.concurrency, case.recipients, max(20, case.messages // 5)), size)
    for _ in range(rounds):
        order.append(order.pop(0))
        for case, measured in zip(cases, found, strict=True):
            for name in order:
                settle()
                rate, cpu = one_round(rows[name], case, size)
                measured[name].rates.append(rate)
                measured[name].cpu.append(cpu)
    for name in rows:
        print(f"{name:<26}" + "".join(f"{_cell(measured[name], measured[reference]):<44}" for measured in found))


def _cell(one: Measured, reference: Measured) -> str:
    ratios = [mine / theirs for mine, theirs in zip(one.rates, reference.rates, strict=True)]
    spread = f"({statistics.median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}])"
    cpu = f"{statistics.median(one.cpu):.2f} ms" if any(one.cpu) else ""
    return f"{statistics.median(one.rates):>6.0f} {spread:<20} {cpu}"


def scripts() -> dict[str, bytes]:
    """25 rules for each user, none of which matches; no two scripts are alike."""
    return {user: script() + f"\n# {user}\n".encode() for user in servers.USERS}


# ---- the three parts


def milter(base: Path, rounds: int, scale: float) -> None:
    """SMTP through Postfix: alone, with clamav-milter, with ours, with ours and users' scripts."""
    with ExitStack() as stack:
        clamd = stack.enter_context(daemons.clamd(base / "clamd"))
        theirs = stack.enter_context(servers.clamav_milter(base, clamd.socket))
        plain = stack.enter_context(servers.sieveav(base, "ours", "milter", clamd=clamd.socket))
        with_scripts = stack.enter_context(
            servers.sieveav(base, "ours-25", "milter", clamd=clamd.socket, scripts=scripts())
        )
        processes = {
            "Postfix alone": None,
            "clamav-milter": theirs,
            "sieveav": plain,
            "sieveav, 25 rules": with_scripts,
        }
        running, ports = stack.enter_context(
            servers.postfix(base, {name: each.address if each else "" for name, each in processes.items()})
        )

        def settle() -> None:
            """Wait until Postfix has discarded everything."""
            queues = [running.base / "queue" / name for name in ("maildrop", "incoming", "active")]
            while any(path.is_file() for queue in queues for path in queue.rglob("*")):
                time.sleep(0.05)

        rows = {name: (Target(ports[name]), each) for name, each in processes.items()}
        cases = [Case(c, 1, int(messages * scale)) for c, messages in zip(CONCURRENCY, (200, 300), strict=True)]
        compare("SMTP through Postfix, 10 KB", rows, "clamav-milter", cases, 10_000, rounds, settle)


def lmtp(base: Path, rounds: int, scale: float) -> None:
    """LMTP to Maildir, 25 rules for each recipient."""
    with ExitStack() as stack:
        processes = {
            "Dovecot, fsync always": stack.enter_context(servers.dovecot(base, "always", scripts())),
            "Dovecot, fsync optimized": stack.enter_context(servers.dovecot(base, "optimized", scripts())),
            "sieveav": stack.enter_context(servers.sieveav(base, "ours", "lmtp", scripts=scripts())),
            "sieveav, 1 worker": stack.enter_context(
                servers.sieveav(base, "ours-1", "lmtp", scripts=scripts(), workers=1)
            ),
        }
        rows = {name: (Target(each.address, lmtp=True, reuse=True), each) for name, each in processes.items()}
        cases = [
            Case(concurrency, recipients, int(messages * scale))
            for recipients, messages in ((1, 300), (10, 60))
            for concurrency in CONCURRENCY
        ]
        for part in (cases[:2], cases[2:]):
            compare("LMTP to Maildir, 15 KB", rows, "Dovecot, fsync always", part, 15_000, rounds, lambda: None)
        stored = {name: servers.delivered(Path(each.address).parent / "mail") for name, each in processes.items()}
        if len(set(stored.values())) != 1:
            raise RuntimeError(f"not all servers have stored the same number of messages: {stored}")
        print(f"messages stored by each: {next(iter(stored.values()))}")


def memory(base: Path, rounds: int, scale: float) -> None:  # noqa: ARG001
    """What a worker takes: idle, with many connections and scripts, and at most for one large message."""
    print("\nMemory of a worker, MB resident")
    clamd_settings = {"StreamMaxLength": "400M", "MaxScanSize": "400M", "MaxFileSize": "400M", "MaxScanTime": "0"}
    with daemons.clamd(base / "clamd", **clamd_settings) as clamd:
        own = dict(_small_scripts())
        with servers.sieveav(base, "ours", "milter", clamd=clamd.socket, scripts=own, workers=1) as process:
            worker = process.worker()
            print(f"{'milter, idle':<60}{servers.memory(worker, 'VmRSS'):>8.1f}")
            clients = [MilterClient(process.address) for _ in range(CONNECTIONS)]
            print(f"{f'with {CONNECTIONS} idle connections':<60}{servers.memory(worker, 'VmRSS'):>8.1f}")
            for start in range(0, CACHED, 100):
                recipients = [f"{name}@example.com" for name in list(own)[start : start + 100]]
                clients[0].give(letter(10_000, CHANCE), recipients)
            shown = f"and after mail for {CACHED} users, each with a script"
            print(f"{shown:<60}{servers.memory(worker, 'VmRSS'):>8.1f}")
            for number in range(HOUR):
                clients[0].give(letter(10_000, CHANCE), [f"u{number % 100}@example.com"])
            shown = f"and after {HOUR} more messages, 5 a second for an hour"
            print(f"{shown:<60}{servers.memory(worker, 'VmRSS'):>8.1f}")
            for client in clients:
                client.close()
        large = attachment(LARGE, CHANCE)
        for protocol in ("milter", "lmtp"):
            with servers.sieveav(base, f"large-{protocol}", protocol, clamd=clamd.socket, workers=1) as process:
                print(f"{f'{protocol}, one message of {len(large) / 1e6:.0f} MB: ' + _peak(process, protocol, large)}")


def _peak(process: servers.Process, protocol: str, large: bytes) -> str:
    """The most that a worker takes for a message, after a small one."""

    def give(message: bytes) -> None:
        if protocol == "milter":
            client = MilterClient(process.address)
            reply = client.give(message, servers.ADDRESSES[:1])
            assert reply == b"c", reply
            client.close()
        else:
            give_all(Target(process.address, lmtp=True), [(message, servers.ADDRESSES[:1])], 1)

    give(letter(10_000, CHANCE))
    worker = process.worker()
    before = servers.memory(worker, "VmRSS")
    servers.forget_peak(worker)
    begun = time.perf_counter()
    give(large)
    seconds = time.perf_counter() - begun
    peak, after = servers.memory(worker, "VmHWM"), servers.memory(worker, "VmRSS")
    ratio = (peak - before) * 1024 * 1024 / len(large)
    return (
        f"{before:.1f} before, {peak:.1f} at most, {ratio:.2f} times its size more; {after:.1f} after; {seconds:.1f} s"
    )


def _small_scripts() -> Iterator[tuple[str, bytes]]:
    for number in range(CACHED):
        yield (
            f"u{number}",
            f'require "fileinto";\nif header :contains "subject" "offer {number}" {{ fileinto "box{number}"; }}\n'.encode(),
        )


PARTS = {"milter": milter, "lmtp": lmtp, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="how often every server has its turn (default: 7)")
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the messages of a round (default: 1)")
    args = parser.parse_args()
    unknown = [name for name in args.parts if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; write {', '.join(PARTS)}")
    missing = servers.missing()
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}")
    for name in args.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="mail-") as folder:
            Path(folder).chmod(0o755)  # the servers run as users of their own
            PARTS[name](Path(folder), args.rounds, args.scale)


if __name__ == "__main__":
    main()
