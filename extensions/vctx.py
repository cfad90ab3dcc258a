"""vctx: the context variables of the message and of the connection (Momentum).

Engines set them (`clamav_status`, `clamav_status_info`), and so may scripts. Names are case-sensitive. With variables,
`${vctx.NAME}`, `${vctx_mess.NAME}` and `${vctx_conn.NAME}` stand for their values, an `_` for each character that no
variable's name can hold; Momentum's own scripts (.siv) write `%{vctx_mess:NAME}` and `%{vctx_conn:NAME}`.
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
    """A variable that is not set matches nothing, not even `:contains ""`."""

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


LONGEST = 4096
"""Characters of a value that a script sets; the rest is cut off."""


def _clean(value: str) -> str:
    """A value as it may be set: a script can take it from the message, and then it is a stranger's."""
    return "".join(c for c in value[:LONGEST] if c.isprintable())


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


# ---- in strings


class _Namespace(Namespace):
    """`${vctx.name}`: the variable of that name, or the one whose name is that with `_` for what no identifier holds."""

    scope = staticmethod(_both)

    def value(self, run: Run, rest: str) -> str | None:
        known = self.scope(run)
        if rest in known:
            return known[rest]
        return next((known[name] for name in sorted(known) if re.sub(r"[^A-Za-z0-9_]", "_", name) == rest), None)


@vctx.namespace("vctx")
class InBoth(_Namespace):
    """Of the message, or else of the connection."""


@vctx.namespace("vctx_mess")
class InMessage(_Namespace):
    """Of the message."""

    scope = staticmethod(_message)


@vctx.namespace("vctx_conn")
class InConnection(_Namespace):
    """Of the connection."""

    scope = staticmethod(_connection)


_MACRO = re.compile(r"%\{vctx_(mess|conn):([^{}\r\n]{1,128})\}")


class _Macros(Template):
    """A string with macros: text and variables in turn."""

    def __init__(self, parts: Sequence[tuple[str, str, str]], tail: str) -> None:
        self.parts = parts
        self.tail = tail

    def expand(self, run: Run) -> str:
        found = []
        for text, scope, name in self.parts:
            known = _message(run) if scope == "mess" else _connection(run)
            found += [text, known.get(name, "")]  # a variable that is not set stands for nothing
        return "".join([*found, self.tail])


@vctx.reader(order=30, dialect="momentum")
class Macros:
    """%{vctx_mess:NAME} and %{vctx_conn:NAME} in Momentum's own scripts."""

    def read(self, text: str, use: Use, span: Span) -> str | _Macros:  # noqa: ARG002
        parts = []
        at = 0
        for found in _MACRO.finditer(text):
            parts.append((text[at : found.start()], found[1], found[2]))
            at = found.end()
        return _Macros(parts, text[at:]) if parts else text
