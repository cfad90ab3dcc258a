"""serve: serve mail servers, as a configuration says

Starts every server that the configuration has a stanza for (see: sieveav explain milter) and runs in the foreground until
SIGTERM or SIGINT; connections that are open may end for up to 30 seconds. SIGHUP reads the configuration again: if it has
errors, nothing changes. Sockets can be passed by systemd, and systemd is notified. The log goes to standard error, in the
form of the option log (see: sieveav explain sieveav).

Exit status: 0 after SIGTERM or SIGINT; 2 for wrong use, a configuration with errors, or a server that cannot be started.
"""

from __future__ import annotations

import gc
import logging
import os
import resource
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sieveav.frontends.arguments import Stop, UsageError, add_config
from sieveav.frontends.command import Command
from sieveav.frontends.log_lines import start_logging
from sieveav.frontends.server import SERVERS
from sieveav.frontends.sites import print_refusal
from sieveav.frontends.sockets import Listener, ServerError, drop_root, open_sockets
from sieveav.frontends.supervising import DRAIN, Worker, run_worker, shared_folder, supervise
from sieveav.language.problems import Severity
from sieveav.site.site import Refused, Site, load, read_settings
from sieveav.site.stanza import Settings
from sieveav.site.stanzas.sieveav import SIEVEAV

if TYPE_CHECKING:
    from asyncio import Event

_log = logging.getLogger(__name__)

THREADS = 16
"""Threads of a worker in which scripts run. A scan waits for its engine in one of them."""

FILES = 65_536
"""Files and connections that a process may have open, if the system lets it. The usual 1024 are for programs that use
select, and fewer than a worker may have connections (see `connections`)."""

CLOSING = 5.0
"""Seconds before a worker would be killed in which it closes the connections that are still open."""


def arguments(parser: ArgumentParser) -> None:
    add_config(parser, "the site, with the stanzas of its servers", required=True)


def run(args: Namespace) -> int:
    path = Path(args.config).resolve()
    settings = _settings(args)
    servers = [each for each in SERVERS.everything().values() if each.listeners(settings)]
    listeners = _listeners(settings)
    if not listeners:
        raise UsageError(f'{args.config}: no server is configured; write, for instance, milter "m1" {{ listen = … }}')
    general = settings[SIEVEAV]
    start_logging(general.log, logging.DEBUG if args.debug else logging.INFO)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if 0 <= soft < most:  # negative: without limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        sockets = open_sockets(listeners)
        if general.user:
            drop_root(general.user)
        elif os.geteuid() == 0:
            _log.warning("the server runs as root: write user in the stanza sieveav")
        workers = general.workers or os.cpu_count() or 1
        with ExitStack() as at_end:
            folder = at_end.enter_context(shared_folder()) if any(each.shares for each in servers) else None
            supervise(sockets, partial(_load, path, listeners), _work, workers, folder=folder)
    except ServerError as error:
        raise UsageError(str(error)) from None
    return 0


def _settings(args: Namespace) -> Settings:
    try:
        return read_settings(args.config)
    except Refused as refused:
        args.format = "text"
        print_refusal(args, ((refused.source, problem) for problem in refused.problems))
        raise Stop(2) from None


def _load(path: Path, listeners: Sequence[Listener]) -> Site:
    """The site, with its policies. ServerError if the configuration or a script that it names is wrong, in one line, or if
    other sockets are needed than `listeners`."""
    try:
        site = load(path)
    except OSError as error:
        raise ServerError(f"{path}: {error.strerror or error}") from None
    except Refused as refused:
        errors = [problem for problem in refused.problems if problem.severity is Severity.ERROR]
        line, column = refused.source.position(errors[0].span.start)
        raise ServerError(f"{path}:{line}:{column}: {errors[0].message}") from None
    for script, phase in site.policies():
        checked = site.scripts.checked(script, phase)
        if checked.program is None:
            line, column = checked.source.position(checked.first_error.span.start)
            raise ServerError(f"{script}:{line}:{column}: {checked.first_error.message}")
    changed = set(_listeners(site.settings)) ^ set(listeners)
    if changed:
        names = ", ".join(sorted({listener.name for listener in changed}))
        raise ServerError(f"{path}: sockets have changed ({names}): restart the server")
    gc.collect()
    gc.freeze()  # it stays: the collector need not look at it again and again, which would also copy the workers' memory
    return site


def _listeners(settings: Settings) -> list[Listener]:
    return [listener for each in SERVERS.everything().values() for listener in each.listeners(settings)]


def _work(worker: Worker) -> None:
    """A worker: every server that is configured."""
    run_worker(worker, partial(_serve, worker.loaded))


async def _serve(site: Site, worker: Worker, stop: Event) -> None:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    executor = ThreadPoolExecutor(THREADS, thread_name_prefix="sieveav-scripts")
    servers = [s for s in SERVERS.everything().values() if s.listeners(site.settings)]
    running = [await server.start(site, worker, executor) for server in servers]
    worker.ready()
    await stop.wait()
    await asyncio.gather(*(each.drain(DRAIN - CLOSING) for each in running))
    executor.shutdown(wait=False, cancel_futures=True)


command = Command("serve", arguments, run)
