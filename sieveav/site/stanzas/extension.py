"""extension: the settings of an extension of the language, by its capability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sieveav.language.problems import did_you_mean
from sieveav.options import Option
from sieveav.site.stanza import Building, Named, Placed, StanzaType

if TYPE_CHECKING:
    from sieveav.site.configuration import Stanza


def _options(stanza: Stanza, building: Building) -> Mapping[str, Option] | None:
    if not stanza.instance or building.library is None:
        return None
    extension = building.library.find(stanza.instance)
    if extension is None:
        span = stanza.instance_span or stanza.kind_span
        hint = did_you_mean(stanza.instance, building.library.everything())
        building.report.error("extension-unknown", f'unknown extension "{stanza.instance}"', span, hint)
        return None
    return extension.settings


def _build(stanzas: Sequence[Placed], building: Building) -> dict[str, dict[str, Any]]:  # noqa: ARG001
    return {stanza.instance: stanza.values() for stanza in stanzas}


EXTENSIONS = StanzaType(
    "extension",
    "the settings of the extension of this name",
    named=Named.MUST,
    build=_build,
    options_of=_options,
)
