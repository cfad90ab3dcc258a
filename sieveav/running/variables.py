"""variables: where the variables of a script live, for every word that speaks of one by its name (RFC 5229).

The core holds them, at `run.variables`, and says what a name is; it gives strings no meaning and no script a word.
"""

from __future__ import annotations

import re

from sieveav import limits
from sieveav.language.use import Given, Use

# RFC 5229, 3; RFC 5228, 8.1: identifier
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*+")


class Variables(dict[str, str]):
    """Lower-case name -> value: "" for one that is not set (RFC 5229, 3); one too long is cut (6).

    A name may be shared with another set of variables: then it has its value there.
    """

    _shared: dict[str, Variables] | None = None

    def __missing__(self, name: str) -> str:
        return self._shared[name][name] if self._shared is not None and name in self._shared else ""

    def __setitem__(self, name: str, value: str) -> None:
        name = name.lower()
        if self._shared is not None and name in self._shared:
            self._shared[name][name] = value
        else:
            super().__setitem__(name, clip_value(value))

    def share(self, name: str, into: Variables) -> None:
        """From here on the variable `name` is that of `into` (RFC 6609, 3.4: global variables)."""
        name = name.lower()
        self.pop(name, None)
        if self._shared is None:
            self._shared = {}
        self._shared[name] = into


def clip_value(value: str) -> str:
    """As many characters of `value` as a variable can have."""
    return value[: limits.VARIABLE_VALUE]


class _Named(set[str]):
    """The variables that a script sets."""


def check_variable(use: Use, name: Given, *, is_set: bool = True) -> bool:
    """Whether `name` names a variable of the script's own, one that it sets or just looks at; complains if not."""
    why, hint = "", "a name is letters, digits and _, and does not begin with a digit"
    if re.fullmatch("[0-9]++", name.value):
        why, hint = "match variables are set by match types alone", ""  # RFC 5229, 4
    elif not _NAME.fullmatch(name.value):
        why = "no variable has this name"
    elif len(name.value) > limits.VARIABLE_NAME:
        why, hint = f"the name of a variable has at most {limits.VARIABLE_NAME} characters", ""  # RFC 5229, 6
    if why:
        use.complain(name, why, hint, rule="variable-name")
        return False
    if is_set:
        _count(use, name)
    return True


def was_set(use: Use, name: str) -> bool:
    """Whether the script has a command that sets the variable `name`, before the present place."""
    return name.lower() in use.memory(_Named)


def _count(use: Use, name: Given) -> None:
    """RFC 5229, 6: a script has so many variables and no more; told once."""
    named = use.memory(_Named)
    before = len(named)
    named.add(name.value.lower())
    if before == limits.VARIABLES < len(named):
        use.complain(name, f"a script has at most {limits.VARIABLES} variables", rule="too-many-variables")
