"""settings: the options that every engine's stanza takes, and the settings that one engine is made from.

A common option is declared once, as a field of `EngineSettings`: its name, type, default and meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sieveav.options import (
    BOOLEAN,
    DIRECTORY,
    DURATION,
    INTEGER,
    TEXT,
    Option,
    ValueType,
    integer,
    one_of,
)
from sieveav.verdict import Status

if TYPE_CHECKING:
    from sieveav.scanning.contract import EngineType


def _action(text: str) -> str:
    if text.lower() == "quarantine":
        raise ValueError("quarantine was removed in Momentum 3.1: write pass, and let a script quarantine")
    return str(_REJECT_OR_PASS.read(text))


def _variable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f'"{text}" is not the name of a variable')
    return text


def _warn_of_5xx(code: int) -> str:
    return f"with {code}, clients give up when a scan fails; with 451 they try again" if code >= 500 else ""


_REJECT_OR_PASS = one_of("reject", "pass")
_ACTION = ValueType(_REJECT_OR_PASS.name, _action)
_VARIABLE = ValueType("name of a context variable", _variable)
_POLICY = one_of("pass", "reject", "tempfail")
_POLICY_OF_FINDS = one_of("pass", "reject", "tempfail", "replace")
_POOL = ValueType("thread pool", str.upper)


def _option(
    kind: ValueType, default: Any, meaning: str, *, name: str = "", warn: Callable[[Any], str] | None = None
) -> Any:
    """A field that is an option, called `name` where that is not the field's name."""
    option = Option(name, kind, default, meaning, warn=warn)
    return field(default=default, metadata={"option": option})


def _policy(what: str) -> Any:
    """A field that says what is done with some mail, "" for what `action` says."""
    return _option(_POLICY, "", f"what is done with {what}: pass, reject or tempfail; by default what action says")


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """The settings of one engine. `kind` and `instance` are the type and name of its stanza; `options` the values of the
    options that only its type takes."""

    kind: str
    instance: str
    active: bool = _option(BOOLEAN, True, "false: scan only when a script asks (passive)", name="enabled")
    debug_level: int = _option(INTEGER, 0, "1 or more: every verdict is logged; 0: only infections and errors")
    action: str = _option(_ACTION, "pass", "reject: refuse infected and unscannable mail; pass: leave it to scripts")
    cache_size: int = _option(integer(0, 1_000_000), 1000, "entries in the cache of verdicts; 0: no cache")
    context_variable: str = _option(
        _VARIABLE, "", "the variable that is set on a virus or an error (default: <engine>_status)"
    )
    error_code: int = _option(
        integer(400, 599), 451, "the SMTP code when scanning fails and action is reject", warn=_warn_of_5xx
    )
    file_base: Path | None = _option(DIRECTORY, None, "the directory for temporary files")  # noqa: RUF009
    max_concurrency: int = _option(integer(0, 10_000), 0, "scans at a time at most; 0: as many as the pool has threads")
    mime_decompose: bool = _option(BOOLEAN, False, "also scan each MIME part alone, decoded; needs file_base")
    paranoid: bool = _option(BOOLEAN, False, "mail that is built to evade scanners counts as a virus")
    pool: str = _option(_POOL, "", "the thread pool that scans run in: CPU, IO or the name of a threadpool stanza")
    skip_context_variable: str = _option(TEXT, "skip_virus_check", "if this variable is set, nothing is scanned")
    timeout: float = _option(DURATION, 10.0, "for connecting, sending, scanning, receiving and retries together")
    use_wire_rep: bool = _option(
        BOOLEAN, True, "false: scan the message with the edits of earlier scripts, not as it was received"
    )
    infected: str = _option(
        _POLICY_OF_FINDS,
        "",
        "what is done with infected mail: pass, reject, tempfail, or replace: its infected parts are replaced by replace_text,"
        " and it is refused if it is still infected, or if a script asked first; by default what action says",
    )
    replace_text: str = _option(
        TEXT, "A part of this message was removed here, because it was infected.", "what infected = replace writes"
    )
    suspicious: str = _policy("mail that is suspicious, but with no known virus")
    encrypted: str = _policy("mail that nobody can look into")
    macro: str = _policy("documents with macros")
    limits: str = _policy("what is too large, or nested too deeply, to be scanned")
    unscannable: str = _policy("what is broken or cannot be opened")
    error: str = _policy("mail that an engine failed to scan")
    options: Mapping[str, Any] = field(default_factory=dict)

    def policy(self, status: Status) -> str:
        """What is done with mail of this status: "pass" (scripts decide), "reject", "tempfail" or "replace"."""
        if status in (Status.CLEAN, Status.SKIPPED):
            return "pass"
        by_action = "pass" if self.action == "pass" else "tempfail" if status is Status.ERROR else "reject"
        return str(getattr(self, status) or by_action)

    @classmethod
    def defaults(cls, kind: str, *, active: bool = True) -> EngineSettings:
        """The settings of an engine whose stanza is empty."""
        return cls(kind=kind, instance=kind, active=active, context_variable=f"{kind}_status")

    def common(self) -> dict[str, Any]:
        """The values of the options that every engine takes, by the names of the options."""
        return {option.name: getattr(self, name) for name, option in _FIELDS.items()}

    @classmethod
    def of(
        cls, kind: EngineType, instance: str, values: Mapping[str, Any], *, globally_enabled: bool = True
    ) -> EngineSettings:
        """The settings of an engine of type `kind`, from the values of all of its options, by name."""
        return cls(
            kind=kind.name.lower(),
            instance=instance,
            options={option.name: values[option.name] for option in kind.options},
            **{name: values[option.name] for name, option in _FIELDS.items() if name != "active"},
            active=globally_enabled and values["enabled"],
        )


_FIELDS: Mapping[str, Option] = {
    one.name: replace(one.metadata["option"], name=one.metadata["option"].name or one.name)
    for one in fields(EngineSettings)
    if "option" in one.metadata
}
"""The options by the names of their fields."""

COMMON = tuple(_FIELDS.values())
"""The options that every engine takes, and the stanza `antivirus`, whose values are its engines' defaults."""

GLOBAL = tuple(option for option in COMMON if option.name in ("enabled", "debug_level"))
"""The options that the top-level stanza of an engine takes when the engine is in an antivirus stanza as well."""


def options_of(kind: EngineType) -> tuple[Option, ...]:
    """Every option that the stanza of an engine of this type takes, with its default: a type may replace a common one."""
    options = {option.name: option for option in COMMON}
    options["pool"] = replace(options["pool"], default=kind.pool.upper())
    options["context_variable"] = replace(options["context_variable"], default=f"{kind.name}_status")
    options |= {option.name: option for option in kind.options}
    return tuple(options.values())
