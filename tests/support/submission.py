"""submission: an SMTP or LMTP server on loopback that keeps what it is given, and replies as a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Submission:
    """The server: `messages` are (sender, recipient, octets), `commands` all commands. `replies` are replies by the first
    word of a command, or "." for the end of a message, instead of those that accept."""

    port: int = 0
    messages: list[tuple[str, str, bytes]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("SIZE", "8BITMIME", "SMTPUTF8", "DSN")

    @property
    def address(self) -> str:
        return f"smtp:127.0.0.1:{self.port}"

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, suppress(OSError):

            def say(command: str, reply: str) -> None:
                connection.sendall(f"{self.replies.get(command, reply)}\r\n".encode())

            say("greeting", "220 here")
            sender = recipient = ""
            for line in lines:
                command = line.decode().rstrip("\r\n")
                word = command.split(" ", 1)[0].upper()
                self.commands.append(command)
                if word in ("EHLO", "LHLO"):
                    say(word, "\r\n".join(["250-here", *(f"250-{name}" for name in self.extensions), "250 HELP"]))
                elif word in ("MAIL", "RCPT"):
                    path = command[command.index("<") + 1 : command.rindex(">")]
                    sender, recipient = (path, "") if word == "MAIL" else (sender, path)
                    say(word, "250 ok")
                elif word == "DATA":
                    say(word, "354 go")
                    content = b""
                    while not content.endswith(b"\r\n.\r\n"):
                        more = lines.readline()
                        if not more:
                            return
                        content += more
                    if self.replies.get(".", "250").startswith("250"):
                        self.messages.append((sender, recipient, content[:-3].replace(b"\r\n..", b"\r\n.")))
                    say(".", "250 accepted")
                elif word == "QUIT":
                    say(word, "221 bye")
                    return
                else:
                    say(word, "502 unknown")


@contextmanager
def submission(port: int = 0) -> Iterator[Submission]:
    """A server for a test."""
    listening = socket.create_server(("127.0.0.1", port))
    made = Submission(listening.getsockname()[1])

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=made._serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield made
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
