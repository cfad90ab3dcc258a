"""failure: why a message could not be stored or handed over."""

from __future__ import annotations

from sieveav.values import Value


class Failure(Value):
    """Why: one printable line, without paths of this machine. Unless it is `temporary`, trying the same again would fail
    again. `status` is the enhanced status code of the other server's reply (RFC 3463), such as 5.1.1; "" if there is none."""

    temporary: bool
    text: str
    status: str = ""
