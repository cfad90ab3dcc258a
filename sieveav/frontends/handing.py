"""handing: a message to another mail server, by SMTP to send it on, by LMTP to store it.

    failure = hand_over(peer("smtp:127.0.0.1:10587"), "bob@example.org", "alice@example.com", message)

None means that the server has answered 250: from then on it is responsible for the message (RFC 5321, 6.1). Each message
has a connection of its own and one recipient, so each recipient has a reply of their own.
"""

from __future__ import annotations

import re
import smtplib
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from typing import NamedTuple

from sieveav.frontends.failure import Failure
from sieveav.frontends.sockets import parse_address
from sieveav.printing import printable

TIMEOUT = 30.0
"""Seconds in which the server must connect, and answer a command."""

DATA_TIMEOUT = 120.0
"""Seconds in which the server must answer the end of the message: it may scan it, and sync it to disk."""

SHOWN_LENGTH = 200
"""Characters of a reply in a failure."""

_MAIL_PARAMETERS = frozenset({"RET", "ENVID"})
"""The parameters of MAIL FROM (RFC 3461, 4.3 and 4.4); the others are those of RCPT TO (4.1 and 4.2)."""


class Peer(NamedTuple):
    """A server: the protocol, "smtp" or "lmtp", and its host and port, or the path of its unix socket with port 0."""

    protocol: str
    host: str
    port: int


def peer(text: str) -> Peer:
    """The server at `smtp:127.0.0.1:10587`, `smtp:[::1]:10587`, `lmtp:inet:127.0.0.1:24` or `lmtp:unix:/path`. ValueError
    for anything else."""
    protocol, _, address = text.partition(":")
    if protocol not in ("smtp", "lmtp"):
        raise ValueError(f'"{printable(text)}" does not begin with smtp: or lmtp:')
    if protocol == "smtp":
        address = f"inet:{address}"
    family, where = parse_address(address)
    return Peer(protocol, where, 0) if family == socket.AF_UNIX else Peer(protocol, where[0], where[1])


def hand_over(
    to: Peer,
    sender: str,
    recipient: str,
    message: bytes,
    parameters: tuple[tuple[str, str], ...] = (),
    accepted: Callable[[], None] = lambda: None,
) -> Failure | None:
    """Give `message` to a server for one recipient. `sender` "" is the null reverse-path. Line ends become CRLF.
    `parameters` of RFC 3461 are left out if the server does not support them. `accepted` is called as soon as the server is
    responsible for the message."""
    if not (_is_path(sender) and _is_path(recipient)):
        return Failure(False, "an address that SMTP cannot express")
    try:
        with closing(_connected(to)) as client:
            failure = _transfer(client, sender, recipient, crlf(message), parameters)
            if failure is None:
                accepted()
            # The message is accepted, or refused, whatever happens now.
            with suppress(OSError):
                client.quit()
            return failure
    except smtplib.SMTPResponseException as error:  # the greeting, or the reply to EHLO or DATA
        return _refused(error.smtp_code, error.smtp_error)
    except OSError as error:  # SMTPException is one
        reason = error.strerror or str(error) or type(error).__name__
        return Failure(True, printable(reason[:1].lower() + reason[1:], "?", SHOWN_LENGTH))


_PATH = re.compile(r'(?:[^\s<>"@\x00-\x1f\x7f]+|"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*")(?:@[^\s<>"@\x00-\x1f\x7f]+)?')


def _is_path(address: str) -> bool:
    """Whether an address, or "", can be in angle brackets (RFC 5321, 4.1.2)."""
    return not address or _PATH.fullmatch(address) is not None


def crlf(message: bytes) -> bytes:
    """The message with CRLF as line ends: CR and LF must not occur alone (RFC 5321, 2.3.8), because servers disagree on
    where such a line ends."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", message)


def _connected(to: Peer) -> smtplib.SMTP:
    make = smtplib.LMTP if to.protocol == "lmtp" else smtplib.SMTP
    # without a name of its own, smtplib would ask the DNS for one
    return make(to.host, to.port, local_hostname=socket.gethostname(), timeout=TIMEOUT)


def _transfer(
    client: smtplib.SMTP, sender: str, recipient: str, message: bytes, parameters: tuple[tuple[str, str], ...]
) -> Failure | None:
    client.ehlo_or_helo_if_needed()
    mail, rcpt = [f"FROM:<{sender}>"], [f"TO:<{recipient}>"]
    if client.has_extn("size"):
        mail.append(f"SIZE={len(message)}")
    if client.has_extn("8bitmime") and not message.isascii():
        mail.append("BODY=8BITMIME")
    if not (sender.isascii() and recipient.isascii()):  # RFC 6531, 3.4
        if not client.has_extn("smtputf8"):
            return Failure(False, "the server does not support addresses outside ASCII (SMTPUTF8)")
        mail.append("SMTPUTF8")
        client.command_encoding = "utf-8"
    if client.has_extn("dsn"):
        for name, value in parameters:
            (mail if name in _MAIL_PARAMETERS else rcpt).append(f"{name}={value}")
    for command, arguments in (("MAIL", mail), ("RCPT", rcpt)):
        # not client.mail and client.rcpt: they take the address apart, and lose quotes
        code, text = client.docmd(command, " ".join(arguments))
        if code // 100 != 2:
            return _refused(code, text)
    if client.sock is not None:
        client.sock.settimeout(DATA_TIMEOUT)
    code, text = client.data(message)
    return None if code // 100 == 2 else _refused(code, text)


_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|\Z)")


def _refused(code: int, text: bytes | str) -> Failure:
    """The failure of a reply; only 5xx is permanent (RFC 5321, 4.2.1)."""
    words = text if isinstance(text, str) else text.decode("utf-8", "replace")
    # of several lines, Cyrus gives the last one alone a status, against RFC 2034, 4
    status = _STATUS.match(words.rpartition("\n")[2])
    shown = printable(f"{code} {' '.join(words.split())}", "?", SHOWN_LENGTH)
    return Failure(code // 100 != 5, shown, status[0] if status else "")
