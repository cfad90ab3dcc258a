"""lmtp: a server of a site, run in a thread, and an LMTP client that says what it hears."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sieveav.frontends.server import Server
from sieveav.frontends.servers.lmtp import server as lmtp
from sieveav.frontends.supervising import Worker
from sieveav.site.site import Site


@contextmanager
def serving(site: Site, server: Server = lmtp, port: int = 0) -> Iterator[int]:
    """Serve the first stanza of a site for `server`; gives its port on loopback."""
    (listener, *_) = server.listeners(site.settings)
    listening = socket.create_server(("127.0.0.1", port))
    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(8) as executor:
        worker = Worker(1, 1, {listener.name: (listening,)}, listening, -1)
        running = loop.run_until_complete(server.start(site, worker, executor))
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            asyncio.run_coroutine_threadsafe(running.drain(5), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(asyncio.sleep(0.02))  # connections that are closing
            loop.close()


class Client(smtplib.LMTP):
    """A client of one connection."""

    def __init__(self, port: int) -> None:
        super().__init__("127.0.0.1", port, local_hostname="client.example.org", timeout=20)

    def give(self, message: bytes, *recipients: str, sender: str = "bob@example.org", options: str = "") -> list[str]:
        """The last reply for each recipient, in the order of RCPT: that of RCPT if it is refused."""
        self.ehlo_or_helo_if_needed()
        assert self.docmd("MAIL", f"FROM:<{sender}>{options}")[0] == 250
        replies = [self.docmd("RCPT", f"TO:<{recipient}>") for recipient in recipients]
        accepted = [number for number, (code, _) in enumerate(replies) if code == 250]
        code, text = self.docmd("DATA")
        if code != 354:
            assert not accepted, text
            self.rset()
        else:
            stuffed = message.replace(b"\r\n.", b"\r\n..")
            self.send(stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"))
            for number in accepted:
                replies[number] = self.getreply()
        return [f"{code} {text.decode()}" for code, text in replies]
