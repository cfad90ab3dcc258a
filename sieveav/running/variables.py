"""variables: the variables of a script, for all words that use one by its name (RFC 5229).

The core keeps their values, in `run.variables`, and checks their names; commands and `${name}` are an extension's.
"""

from __future__ import annotations

import re

from sieveav import limits
from sieveav.language.use import Given, Use

# RFC 5229, 3; RFC 5228, 8.1: identifier
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*+")


class Variables(dict[str, str]):
    """Lower-case name -> value: "" if it is not set (RFC 5229, 3); a value that is too long is cut (6).

    A name may be shared with another set of variables, which then has its value.
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
        """From here on the variable `name` is the one in `into` (RFC 6609, 3.4: global variables)."""
        name = name.lower()
        self.pop(name, None)
        if self._shared is None:
            self._shared = {}
        self._shared[name] = into


def clip_value(value: str) -> str:
    """`value`, cut to the length that a variable can have."""
    return value[: limits.VARIABLE_VALUE]


class _Named(set[str]):
    """The names of the variables that a script sets."""


def check_variable(use: Use, name: Given, *, is_set: bool = True) -> bool:
    """Whether `name` is a valid name of a variable, not of a namespace; complains if not. `is_set`: the script sets it."""
    message, hint = "", "a name is letters, digits and _, and does not begin with a digit"
    if re.fullmatch("[0-9]++", name.value):
        message, hint = "only match types set match variables", ""  # RFC 5229, 4
    elif not _NAME.fullmatch(name.value):
        message = "not a valid variable name"
    elif len(name.value) > limits.VARIABLE_NAME:
        message, hint = f"variable name is longer than {limits.VARIABLE_NAME} characters", ""  # RFC 5229, 6
    if message:
        use.complain(name, message, hint, rule="variable-name")
        return False
    if is_set:
        _count(use, name)
    return True


def was_set(use: Use, name: str) -> bool:
    """Whether the script has a command that sets the variable `name` before the current place."""
    return name.lower() in use.memory(_Named)


def _count(use: Use, name: Given) -> None:
    """RFC 5229, 6: the number of variables is limited; reported once."""
    named = use.memory(_Named)
    before = len(named)
    named.add(name.value.lower())
    if before == limits.VARIABLES < len(named):
        use.complain(name, f"script has more than {limits.VARIABLES} variables", rule="variables-too-many")
