"""programs: processes of a program that pretends to have a vendor's kit, whatever they do: started, asked, replaced, ended."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support import kits
from support.faults import CONTENT, ENOUGH, LARGE
from support.scanning import Ask

from sieveav.scanning import programs
from sieveav.scanning.contract import Content, Deadline, Envelope
from sieveav.scanning.failover import Unreached
from sieveav.verdict import Status

SECONDS = 0.5


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with kits.nothing_left():
        yield


@pytest.mark.parametrize("inline", [True, False])
def test_contents(tmp_path: Path, ask: Ask, inline: bool) -> None:
    """The program gets all octets; of files, none is left."""
    (tmp_path / "base").mkdir()
    scan = "say(asked, status='infected', info=str(len(content(asked))) + ' ' + str(sum(content(asked))))"
    engine = kits.engine(kits.write(tmp_path, scan), inline=inline, file_base=tmp_path / "base")
    for raw in (b"", b"\0\xff\r\n" * 50, CONTENT, LARGE):
        assert ask(engine, raw, 20.0).info == f"{len(raw)} {sum(raw)}"
    assert list((tmp_path / "base").iterdir()) == []


def test_one_process_answers_one_scan_after_the_other(tmp_path: Path, ask: Ask) -> None:
    before = kits.children()  # a daemon that other tests use
    engine = kits.engine(kits.write(tmp_path, "say(asked, status='suspicious', info=str(os.getpid()))"))
    infos = {ask(engine, seconds=20.0).info for _ in range(20)}
    assert len(infos) == 1
    assert engine.version(Deadline.after(9)) == "Kit 1"
    assert len(kits.children() - before) == 1


def test_values_and_code(tmp_path: Path) -> None:
    scan = """
to = asked["envelope"]["recipients"]
say(asked, status="infected", info="Bad/Name", code=7, values={"score": "9"}, recipients={to[0]: {"verdict": "spam"}})
"""
    content = Content(b"x", envelope=Envelope("a@example.com", ("b@example.org",)))
    command = kits.write(tmp_path, scan)
    verdict = kits.engine(command).scan(content, Deadline.after(20))
    assert (verdict.status, verdict.info, verdict.code, verdict.values) == (
        Status.INFECTED,
        "Bad/Name",
        7,
        {"score": "9"},
    )
    assert verdict.for_recipient("b@example.org").values == {"score": "9", "verdict": "spam"}
    assert kits.engine(command, classes=("Bad/*=macro",)).scan(content, Deadline.after(20)).status is Status.MACRO
    assert kits.engine(command, allow=("Bad/*",)).scan(content, Deadline.after(20)).status is Status.CLEAN


CLEAN = "line(asked, status='clean')"

FAULTS = {
    "nothing, and its end": "os._exit(0)",
    "killed": "os.kill(os.getpid(), 9)",
    "a crash": "raise OSError",
    "cut": f"out({CLEAN}[:-5]); os._exit(0)",
    "cut before its line end": f"out({CLEAN}[:-1]); os._exit(0)",
    "cut, then silence": f"out({CLEAN}[:-1]); time.sleep(60)",
    "silence": "time.sleep(60)",
    "stopped": "os.kill(os.getpid(), signal.SIGSTOP)",
    "its output closed": "os.close(1); os.close(0); time.sleep(60)",
    "garbage": "out(bytes(range(256)) * 4)",
    "garbage before the answer": f"out(b'\\xff\\xfe\\0garbage\\r\\n' + {CLEAN})",
    "garbage after the answer": f"out({CLEAN} + b'\\xff')",
    "two answers": f"out({CLEAN} * 2)",
    "another id": "asked['id'] += 1; say(asked, status='clean')",
    "an empty line before": f"out(b'\\n' + {CLEAN})",
    "a line of 2 MB": "say(asked, status='clean', info='x' * 2_000_000)",
    "2 MB without a line end": "out(b'x' * 2_000_000); time.sleep(60)",
    "NUL octets": f"out(bytes(100) + {CLEAN})",
    "not UTF-8": f"out({CLEAN}.replace(b'}}', b', \"info\": \"\\xff\"}}'))",
    "slow-loris": f"for octet in {CLEAN} * 50: out(bytes([octet])); time.sleep(0.1)",
    "an unknown status": "say(asked, status='ok')",
    "an error": "say(asked, status='error', info='licence')",
}
"""What the program does in place of its answer. None of it is clean."""


@pytest.mark.parametrize("scan", FAULTS.values(), ids=FAULTS)
def test_faults(tmp_path: Path, ask: Ask, scan: str) -> None:
    """An error that names the program, in time; and the next scan is not affected."""
    command = kits.write(tmp_path, f"if content(asked) == b'bad':\n    {scan}\nelse:\n    say(asked, status='clean')")
    engine = kits.engine(command)
    assert ask(engine, b"good", 20.0).status is Status.CLEAN
    begun = time.monotonic()
    verdict = ask(engine, b"bad", SECONDS)
    assert time.monotonic() - begun < ENOUGH
    assert verdict.status is Status.ERROR
    assert verdict.info.startswith(command[0])
    assert verdict.info.isprintable()
    assert ask(engine, b"good", 20.0).status is Status.CLEAN


def test_a_find_is_believed_even_if_more_follows(tmp_path: Path, ask: Ask) -> None:
    engine = kits.engine(kits.write(tmp_path, "out(line(asked, status='infected') * 2)"))
    assert ask(engine, seconds=20.0).status is Status.INFECTED
    assert ask(engine, seconds=20.0).status is Status.INFECTED


def test_an_answer_before_the_content(tmp_path: Path, ask: Ask) -> None:
    """It is no answer to it."""
    begin = """
asked = json.loads(sys.stdin.readline())
version(asked)
out(b'{"id": 1, "status": "clean"}\\n' * 100)
time.sleep(60)
"""
    engine = kits.engine(kits.write(tmp_path, begin=begin), inline=True)
    assert ask(engine, LARGE, 2.0).status is Status.ERROR


def test_a_program_that_does_not_read(tmp_path: Path, ask: Ask) -> None:
    begin = "version(json.loads(sys.stdin.readline())); time.sleep(60)"
    engine = kits.engine(kits.write(tmp_path, begin=begin), inline=True)
    assert ask(engine, LARGE, 1.0).status is Status.ERROR


def test_a_flood_on_standard_error_is_no_obstacle(tmp_path: Path, ask: Ask) -> None:
    scan = "sys.stderr.write('flood\\n' * 300_000); sys.stderr.flush(); say(asked, status='clean')"
    assert ask(kits.engine(kits.write(tmp_path, scan)), seconds=20.0).status is Status.CLEAN


def test_a_process_that_died_meanwhile_is_replaced(tmp_path: Path, ask: Ask) -> None:
    engine = kits.engine(kits.write(tmp_path, "say(asked, status='clean', code=os.getpid())"))
    for _ in range(3):
        verdict = ask(engine, seconds=20.0)
        assert verdict.status is Status.CLEAN
        assert verdict.code
        os.kill(verdict.code, signal.SIGKILL)


def test_an_answer_that_comes_later_is_not_anothers(tmp_path: Path, ask: Ask) -> None:
    """A second answer, which the program writes while nobody asks it."""
    scan = "say(asked, status='clean')\nif content(asked) == b'first': say(asked, status='clean')"
    engine = kits.engine(kits.write(tmp_path, scan))
    assert ask(engine, b"first", 20.0).status in (Status.CLEAN, Status.ERROR)
    assert ask(engine, b"second", 20.0).status is Status.CLEAN


# ---- the start


STARTS = {
    "its end": "sys.exit(0)",
    "a crash": "raise OSError",
    "killed": "os.kill(os.getpid(), 9)",
    "a banner": "print('Kit 1', flush=True)",
    "garbage": "out(b'\\xff\\0\\n')",
    "silence": "time.sleep(60)",
    "2 MB": "out(b'x' * 2_000_000)",
    "another id": 'out(b\'{"id": 1, "version": "x"}\\n\')',
    "no version": "out(b'{\"id\": 0}\\n')",
    "an answer to a scan": 'out(b\'{"id": 0, "status": "clean"}\\n\')',
}
"""What a program does when it is started."""


@pytest.mark.parametrize("begin", STARTS.values(), ids=STARTS)
def test_faults_at_the_start(tmp_path: Path, ask: Ask, begin: str) -> None:
    engine = kits.engine(kits.write(tmp_path, begin=begin))
    verdict = ask(engine, seconds=SECONDS)
    assert verdict.status is Status.ERROR
    assert "start" in verdict.info
    assert engine.version(Deadline.after(0.2)) == ""


def test_a_program_that_is_not_there(tmp_path: Path, ask: Ask) -> None:
    command = tmp_path / "program"
    command.write_text("#!/nonexistent")
    command.chmod(0o700)
    engine = kits.engine((str(command),))
    command.unlink()
    verdict = ask(engine)
    assert (verdict.status, verdict.info.partition(": ")[0]) == (Status.ERROR, str(command))


def test_a_slow_start_goes_on_for_the_next_scan(tmp_path: Path, ask: Ask) -> None:
    """The first scan gives up; its process is not killed, for it would never get ready."""
    (tmp_path / "wait").touch()
    begin = f"while os.path.exists({str(tmp_path / 'wait')!r}): time.sleep(0.01)"
    engine = kits.engine(kits.write(tmp_path, begin=begin))
    verdict = ask(engine, seconds=0.2)
    assert (verdict.status, verdict.info.rpartition(": ")[2]) == (Status.ERROR, "the program is still starting")
    before = kits.children()
    (tmp_path / "wait").unlink()
    assert ask(engine, seconds=20.0).status is Status.CLEAN
    assert kits.children() == before


def test_a_start_that_takes_too_long(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "START", 0.1)
    begun = time.monotonic()
    verdict = ask(kits.engine(kits.write(tmp_path, begin="time.sleep(60)")), seconds=20.0)
    assert time.monotonic() - begun < ENOUGH
    assert (verdict.status, "did not start" in verdict.info) == (Status.ERROR, True)


def test_failed_starts_come_at_growing_intervals(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    begin = f"open({str(starts)!r}, 'a').write('x'); sys.exit(1)"
    engine: Any = kits.engine(kits.write(tmp_path, begin=begin))
    (program,) = [breaker.server for breaker in engine._breakers]
    pauses = []
    for _ in range(12):
        with pytest.raises(Unreached, match="did not start: "):
            program.attempt(Content(b"x"), Deadline.after(20))
        with pytest.raises(Unreached, match=r"not tried for another [0-9.]+ s"):
            program.attempt(Content(b"x"), Deadline.after(0.01))
        pauses.append(program._next_start - time.monotonic())
        program._next_start = 0.0
    assert len(starts.read_text()) == 12
    assert pauses[:8] == sorted(pauses[:8])
    assert pauses[0] <= programs.FIRST_PAUSE
    assert programs.LONGEST_PAUSE - 5 < pauses[-1] <= programs.LONGEST_PAUSE


def test_after_a_start_the_pauses_are_short_again(tmp_path: Path) -> None:
    fail = tmp_path / "fail"
    begin = f"if os.path.exists({str(fail)!r}): sys.exit(1)"
    engine: Any = kits.engine(kits.write(tmp_path, "os._exit(1)", begin=begin))
    (program,) = [breaker.server for breaker in engine._breakers]
    for fails in (True, True, True, True, False, True):
        program._next_start = 0.0
        if fails:
            fail.touch()
        else:
            fail.unlink()
        with pytest.raises(Unreached, match="did not start" if fails else "closed|reset"):
            program.attempt(Content(b"x"), Deadline.after(20))
    assert program._next_start - time.monotonic() <= programs.FIRST_PAUSE


def test_a_short_pause_is_waited_for(tmp_path: Path, ask: Ask) -> None:
    """A process that somebody killed while it was starting is no reason to refuse mail."""
    begin = f"""
try:
    open({str(tmp_path / "first")!r}, "x")
except FileExistsError:
    pass
else:
    sys.exit(1)
"""
    engine = kits.engine(kits.write(tmp_path, begin=begin))
    assert ask(engine, seconds=20.0).status is Status.ERROR
    assert ask(engine, seconds=20.0).status is Status.CLEAN


def test_scans_that_end_a_process_do_not_delay_others(tmp_path: Path, ask: Ask) -> None:
    """It had said its version, so it did start."""
    scan = "if content(asked) == b'bad': os._exit(1)\nsay(asked, status='clean')"
    engine = kits.engine(kits.write(tmp_path, scan))
    for _ in range(5):
        assert ask(engine, b"bad", 20.0).status is Status.ERROR
        assert ask(engine, b"good", 20.0).status is Status.CLEAN


# ---- many at a time


def test_so_many_processes_at_most(tmp_path: Path) -> None:
    scan = f"""
name = {str(tmp_path)!r} + "/running" + str(os.getpid())
open(name, "x").close()
time.sleep(0.02)
os.unlink(name)
say(asked, status="suspicious", info=str(os.getpid()))
"""
    engine = kits.engine(kits.write(tmp_path, scan), most=3)
    with ThreadPoolExecutor(10) as pool:
        verdicts = list(pool.map(lambda _: engine.scan(Content(b"x"), Deadline.after(30)), range(40)))
    assert {verdict.status for verdict in verdicts} == {Status.SUSPICIOUS}
    assert 1 < len({verdict.info for verdict in verdicts}) <= 3


def test_no_place_in_time(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "wait").touch()
    scan = f"while os.path.exists({str(tmp_path / 'wait')!r}): time.sleep(0.01)\nsay(asked, status='clean')"
    engine, before = kits.engine(kits.write(tmp_path, scan), most=1), kits.children()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(engine.scan, Content(b"x"), Deadline.after(30))
        while not kits.children() - before:
            os.sched_yield()
        verdict = ask(engine, seconds=0.1)
        (tmp_path / "wait").unlink()
        assert first.result().status is Status.CLEAN
    assert (verdict.status, verdict.info.rpartition(": ")[2]) == (Status.ERROR, "all processes are busy")


def test_processes_that_are_killed_under_load(tmp_path: Path) -> None:
    """200 scans, 8 at a time: each verdict is right or an error, whichever processes die."""
    scan = """
time.sleep(0.01)
say(asked, status="infected" if b"evil" in content(asked) else "clean", info=content(asked).decode())
"""
    (tmp_path / "started").mkdir()
    version = f"open({str(tmp_path / 'started')!r} + f'/{{os.getpid()}}', 'x').close(); say(asked, version='1')"
    engine = kits.engine(kits.write(tmp_path, scan, version=version), most=8, inline=True)
    contents = [b"%s %d" % (b"evil" if number % 3 == 0 else b"good", number) for number in range(200)]
    done = threading.Event()

    def kill() -> None:
        chosen = random.Random(1)
        while not done.wait(0.04):
            started = {int(path.name) for path in (tmp_path / "started").iterdir()}
            if processes := sorted(kits.children() & started):
                os.kill(chosen.choice(processes), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            verdicts = list(pool.map(lambda raw: engine.scan(Content(raw), Deadline.after(20)), contents))
    finally:
        done.set()
        killer.join()
    for raw, verdict in zip(contents, verdicts, strict=True):
        if verdict.status is not Status.ERROR:
            assert verdict.status is (Status.INFECTED if raw.startswith(b"evil") else Status.CLEAN)
            assert verdict.info == raw.decode()
    assert sum(verdict.status is not Status.ERROR for verdict in verdicts) > 50


# ---- version, probe


def test_the_version_is_asked_again(tmp_path: Path, ask: Ask) -> None:
    version = f"say(asked, version=open({str(tmp_path / 'version')!r}).read())"
    (tmp_path / "version").write_text("Kit 1")
    engine = kits.engine(kits.write(tmp_path, version=version))
    assert ask(engine, seconds=20.0).status is Status.CLEAN
    (tmp_path / "version").write_text("Kit 2\x1b")
    assert engine.version(Deadline.after(20)) == "Kit 2"


def test_a_process_that_says_more_than_its_version_is_replaced(tmp_path: Path, ask: Ask) -> None:
    version = "out(line(asked, version='Kit 1') + (b'x' if asked['id'] else b''))"
    engine = kits.engine(kits.write(tmp_path, "say(asked, status='clean', code=os.getpid())", version=version))
    first = ask(engine, seconds=20.0)
    assert engine.version(Deadline.after(20)) == "Kit 1"
    second = ask(engine, seconds=20.0)
    assert second.status is Status.CLEAN
    assert first.code != second.code


@pytest.mark.parametrize(
    ("stats", "works"), [(kits.DEFAULTS["stats"], True), ("os._exit(1)", False), ("out(b'x\\n')", False)]
)
def test_the_probe(tmp_path: Path, stats: str, works: bool) -> None:
    engine: Any = kits.engine(kits.write(tmp_path, stats=stats))
    (breaker,) = engine._breakers
    assert breaker.server.probe(Deadline.after(20)) is works


def test_options_that_cannot_work(tmp_path: Path) -> None:
    """Nothing is left half made either."""
    with pytest.raises(ValueError, match="GLOB=CLASS"):
        kits.engine(kits.write(tmp_path), classes=("x",))


def test_the_options_that_it_is_told(tmp_path: Path) -> None:
    command = kits.write(tmp_path, version="say(asked, version=json.dumps(asked.get('options')))")
    values = {
        "inline": False,
        "allow": (),
        "classes": (),
        "file_base": None,
        "max_concurrency": 1,
        "server": "a",
        "x": 1,
    }
    engine = programs.maker("server", "x")("engine", {**values, "command": command})
    (program,) = [breaker.server for breaker in engine._breakers]  # type: ignore[attr-defined]
    assert json.loads(program._greeting)["options"] == {"server": "a", "x": 1}
