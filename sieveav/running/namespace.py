"""namespace: the base class of namespaces of variables, such as that of `${vctx.name}` (RFC 5229, 3)."""

from __future__ import annotations

from sieveav.language.problems import Span
from sieveav.language.use import Use
from sieveav.running.run import Run


class Namespace:
    """A namespace of variables (RFC 5229, 3), declared with `Extension.namespace`: the values of `${name.rest}`."""

    settable = False
    """Whether the command `set` can write to it; if so, it has a method `set`."""

    def check(self, rest: str, use: Use, span: Span) -> None:
        """Complain of a name that is not in the namespace."""

    def value(self, run: Run, rest: str) -> str | None:
        """The value of `rest`; None means the empty string."""
        raise NotImplementedError

    def set(self, run: Run, rest: str, text: str) -> None:
        """Set the value of `rest`."""
        raise NotImplementedError
