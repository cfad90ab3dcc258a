"""vctx: test and set the context variables of the message and of the connection (Momentum).

Engines set them (`clamav_status`, `clamav_status_info`), and scripts can. Names are case-sensitive. With variables,
`${vctx.NAME}`, `${vctx_mess.NAME}` and `${vctx_conn.NAME}` are their values; write `_` for each character that the name of
a variable cannot contain. Scripts in Momentum's dialect (.siv) write `%{vctx_mess:NAME}` and `%{vctx_conn:NAME}`.

A user's script changes a copy of the variables: later scripts of the site do not see its changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sieveav.extending import PHASES, Extension, MatchingValues, Namespace, Run, Span, Strings, Template, Use, Word

vctx = Extension("vctx", "Momentum")


def _message(run: Run) -> Mapping[str, str]:
    return run.context.message


def _connection(run: Run) -> Mapping[str, str]:
    return run.context.connection


def _both(run: Run) -> Mapping[str, str]:
    return {**run.context.connection, **run.context.message}


class _Test(MatchingValues):
    """A test of one variable. A variable that is not set matches nothing, not even `:contains ""`."""

    name: str
    keys: Strings
    scope = staticmethod(_both)

    def values(self, run: Run) -> Sequence[str]:
        value = self.scope(run).get(self.name)
        return () if value is None else (value,)


@vctx.test("vctx", phases=PHASES)
class Vctx(_Test):
    """vctx: whether a variable of the message, or else of the connection, matches a key."""


@vctx.test("vctx_mess", phases=PHASES)
class VctxMess(_Test):
    """vctx_mess: whether a variable of the message matches a key."""

    scope = staticmethod(_message)


@vctx.test("vctx_conn", phases=PHASES)
class VctxConn(_Test):
    """vctx_conn: whether a variable of the connection matches a key."""

    scope = staticmethod(_connection)


VALUE_LENGTH = 4096
"""The most characters in a value set by a script; the rest is cut off."""


def _clean(value: str) -> str:
    """`value` without control characters, bounded: it may come from the message, so it is untrusted."""
    return "".join(c for c in value[:VALUE_LENGTH] if c.isprintable())


@vctx.command("vctx_mess_set")
class VctxMessSet(Word):
    """vctx_mess_set: set a variable of the message."""

    name: str
    value: str

    def run(self, run: Run) -> None:
        run.context.message[self.name] = _clean(self.value)


@vctx.command("vctx_conn_set")
class VctxConnSet(Word):
    """vctx_conn_set: set a variable of the connection."""

    name: str
    value: str

    def run(self, run: Run) -> None:
        run.context.connection[self.name] = _clean(self.value)


@vctx.command("vctx_mess_delete")
class VctxMessDelete(Word):
    """vctx_mess_delete: unset a variable of the message, if it is set."""

    name: str

    def run(self, run: Run) -> None:
        run.context.message.pop(self.name, None)


@vctx.command("vctx_conn_delete")
class VctxConnDelete(Word):
    """vctx_conn_delete: unset a variable of the connection, if it is set."""

    name: str

    def run(self, run: Run) -> None:
        run.context.connection.pop(self.name, None)


# ---- variables in strings


class _Namespace(Namespace):
    """`${vctx.name}`: the variable with that name, else the first whose name is that with `_` for other characters."""

    scope = staticmethod(_both)

    def value(self, run: Run, rest: str) -> str | None:
        values = self.scope(run)
        if rest in values:
            return values[rest]
        return next((values[name] for name in sorted(values) if re.sub(r"[^A-Za-z0-9_]", "_", name) == rest), None)


@vctx.namespace("vctx")
class InBoth(_Namespace):
    """Variables of the message, or else of the connection."""


@vctx.namespace("vctx_mess")
class InMessage(_Namespace):
    """Variables of the message."""

    scope = staticmethod(_message)


@vctx.namespace("vctx_conn")
class InConnection(_Namespace):
    """Variables of the connection."""

    scope = staticmethod(_connection)


_MACRO = re.compile(r"%\{vctx_(mess|conn):([^{}\r\n]{1,128})\}")


class _Macros(Template):
    """A string with macros: text and variables alternate."""

    def __init__(self, parts: Sequence[tuple[str, str, str]], tail: str) -> None:
        self.parts = parts
        self.tail = tail

    def expand(self, run: Run) -> str:
        texts = []
        for text, scope, name in self.parts:
            values = _message(run) if scope == "mess" else _connection(run)
            texts += [text, values.get(name, "")]
        return "".join([*texts, self.tail])


@vctx.reader(order=30, dialect="momentum")
class Macros:
    """`%{vctx_mess:NAME}` and `%{vctx_conn:NAME}` in scripts of Momentum's dialect; "" if the variable is not set."""

    def read(self, text: str, use: Use, span: Span) -> str | _Macros:  # noqa: ARG002
        parts = []
        at = 0
        for match in _MACRO.finditer(text):
            parts.append((text[at : match.start()], match[1], match[2]))
            at = match.end()
        return _Macros(parts, text[at:]) if parts else text
