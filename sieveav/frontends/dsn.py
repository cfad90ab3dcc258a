"""dsn: the refusals of recipients to one non-delivery notice for the sender (RFC 3464, in a report of RFC 6522).

Pure. The notice has the null sender; it contains the reasons, the status of each recipient, and the header of the message,
never its body. What clients, scripts and messages choose is encoded and bounded, so that no text of theirs is a header field
or a line of the status.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sieveav import limits
from sieveav.composing import (
    LONGEST_LINE,
    Field,
    boundary,
    compose,
    date_time,
    structured_line,
    text_part,
)
from sieveav.printing import printable
from sieveav.running.addresses import parse_addr_spec
from sieveav.running.outcome import Response
from sieveav.verdict import plain

TEXT = limits.STRING_SIZE
"""Characters of all reasons together: one reason always fits."""

HEADER = 64 * limits.KIB
"""Octets of the message's header that are returned."""

NAMED = 100
"""Recipients who are named with one reason, for people; machines read all of them."""

DIAGNOSTIC = 500
"""Characters of the reply that one recipient would have given."""


PARAMETER = 512
"""Octets of a parameter of MAIL or RCPT. RFC 3461, 5.2.1: ORCPT, the longest, has at most 500."""

_PARAMETERS = (b"NOTIFY=", b"ORCPT=", b"ENVID=")


@dataclass(frozen=True)
class Refused:
    """One recipient's refusal: the reply, the reason as the script gives it, and the parameters of RCPT."""

    recipient: str
    response: Response
    reason: str
    parameters: tuple[bytes, ...] = ()

    @property
    def wants_notice(self) -> bool:
        """Whether the sender wants to know. RFC 3461, 4.1: not with a NOTIFY that does not name FAILURE."""
        notify = parameter(self.parameters, b"NOTIFY")
        return notify is None or b"FAILURE" in notify.upper().split(b",")


def dsn_parameters(parameters: Iterable[bytes]) -> tuple[bytes, ...]:
    """The SMTP parameters that matter here."""
    return tuple(each for each in parameters if len(each) <= PARAMETER and each.upper().startswith(_PARAMETERS))


def parameter(parameters: Iterable[bytes], name: bytes) -> bytes | None:
    """The value of an SMTP parameter, written NAME=value; None without it."""
    for each in parameters:
        written, equals, value = each.partition(b"=")
        if equals and written.strip().upper() == name:
            return value.strip()
    return None


def notice(
    refused: Sequence[Refused],
    sender: str,
    header: bytes,
    *,
    host: str,
    date: datetime,
    parameters: tuple[bytes, ...] = (),
) -> bytes:
    """The notice to `sender`, with CRLF line ends: all ASCII, unless the sender's address is not. `header` is the header
    block of the message, `host` the name of the mail server, `parameters` are those of MAIL."""
    to = parse_addr_spec(sender)
    host = host if _HOST.fullmatch(host) else "localhost.invalid"
    fields: list[Field] = [
        ("From", (("Mail Delivery System", f"MAILER-DAEMON@{host}"),)),
        ("To", b"undisclosed-recipients:;" if to is None else (("", to),)),  # such as root, without a domain
        ("Subject", "Your message was refused by a mail filter"),
        ("Auto-Submitted", b"auto-replied"),  # RFC 3834, 5
    ]
    parts = [text_part(_text(refused)), _status(refused, host, date, parameters), _header(header)]
    mark = boundary(*parts)
    # RFC 6522, 3: the text, the status, and the message or its header
    head = f'Content-Type: multipart/report; report-type=delivery-status; boundary="{mark}"\r\n\r\n'.encode()
    body = b"".join(b"--" + mark.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    report = head + body + b"--" + mark.encode() + b"--\r\n"
    return compose(fields, report, date, ("dsn", sender, *(one.recipient for one in refused)))


_HOST = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,9}")


# ---- for people


def _text(refused: Sequence[Refused]) -> str:
    """The first part. RFC 5429, 2.1.2: it contains the reason, and says that a filter has refused the message."""
    recipients: dict[str, list[str]] = {}
    for one in refused:
        recipients.setdefault(one.reason.strip(), []).append(one.recipient)
    texts: list[str] = []
    room = TEXT
    for reason, names in recipients.items():
        shown = "\n".join(f"    {printable(name)}" for name in names[:NAMED])
        more = f"\n    and {len(names) - NAMED} others" if len(names) > NAMED else ""
        whose = "the recipient's mail filter" if len(names) == 1 else "the recipients' mail filters"
        texts.append(
            f"Your message was refused by {whose}, and is not delivered to\n\n{shown}{more}\n\n"
            f"The reason given is as follows:\n\n{reason[: max(room, 0)]}\n"
        )
        room -= len(reason)
    return "\n\n".join(texts)


# ---- for machines


def _status(refused: Sequence[Refused], host: str, date: datetime, parameters: tuple[bytes, ...]) -> bytes:
    """The second part, message/delivery-status: fields of the message, then of each recipient. RFC 3464, 2.1."""
    blocks = [[("Reporting-MTA", f"dns; {host}"), ("Arrival-Date", date_time(date))]]  # RFC 3464, 2.2.2 and 2.2.5
    envelope_id = _decoded(parameter(parameters, b"ENVID"))
    if envelope_id:  # RFC 3464, 2.2.1
        blocks[0].insert(0, ("Original-Envelope-Id", envelope_id))
    blocks += [_recipient(one) for one in refused]
    texts = [b"".join(structured_line(name, value) for name, value in block) for block in blocks]
    return b"Content-Type: message/delivery-status\r\n\r\n" + b"\r\n".join(texts)


def _recipient(one: Refused) -> list[tuple[str, str]]:
    """RFC 3464, 2.3."""
    response = one.response.in_ascii()
    enhanced = response.enhanced if _STATUS.fullmatch(response.enhanced) else "5.7.1"
    reply = plain(f"{response.code} {response.enhanced} {' '.join(response.text.split())}", DIAGNOSTIC)
    fields = [
        ("Final-Recipient", _typed(one.recipient)),
        ("Action", "failed"),  # RFC 5429, 2.1.2
        ("Status", enhanced),
        ("Diagnostic-Code", f"smtp; {reply}"),
    ]
    kind, _, address = (parameter(one.parameters, b"ORCPT") or b"").partition(b";")
    original = _decoded(address)
    if original and _TYPE.fullmatch(kind):  # RFC 3464, 2.3.1
        fields.insert(0, ("Original-Recipient", f"{kind.decode()}; {original}"))
    return fields


_STATUS = re.compile(r"5\.[0-9]{1,3}\.[0-9]{1,3}")
_TYPE = re.compile(rb"[A-Za-z0-9-]{1,32}")
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")


def _decoded(xtext: bytes | None) -> str:
    """The text of xtext (RFC 3461, 4); "" if it is not xtext, or a text that is not printable ASCII."""
    if not xtext or not _XTEXT.fullmatch(xtext):
        return ""
    octets = re.sub(rb"\+(..)", lambda match: bytes.fromhex(match[1].decode()), xtext)
    text = octets.decode("ascii", "replace")
    return text if plain(text, len(text)) == text else ""


def _typed(address: str) -> str:
    """An address with its type. RFC 6533, 3: utf-8, in ASCII, if it is not ASCII."""
    address = printable(address)
    if address.isascii():
        return f"rfc822; {address}"
    return "utf-8; " + "".join(c if c.isascii() and c not in " +=\\" else f"\\x{{{ord(c):X}}}" for c in address)


# ---- the message


def _header(header: bytes) -> bytes:
    """The third part, text/rfc822-headers (RFC 6522, 4)."""
    lines = header[:HEADER].replace(b"\r\n", b"\n")
    if len(header) > HEADER:
        lines = lines[: lines.rfind(b"\n") + 1]
    lines = lines.replace(b"\r", b" ")
    encoding = "7bit"
    if b"\0" in lines or not lines.isascii() or max(map(len, lines.split(b"\n"))) > LONGEST_LINE:
        encoding, lines = "quoted-printable", binascii.b2a_qp(lines)
    head = f"Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + lines.replace(b"\n", b"\r\n")
