"""beik: the Brightmail Engine Integration Kit's verdict for each recipient, by a program that is linked with the kit.

It is spoken to as that of `brightmail`, which the kit brings into the program instead of a server. It never scans by itself:
only a script's `beik_scan` does. Tested with a program that pretends to have the kit.
"""

from __future__ import annotations

from collections.abc import Mapping

from sieveav.engines.brightmail import scan, variables
from sieveav.options import BOOLEAN, FILE, INTEGER, TEXT, Option, ValueType
from sieveav.scanning import programs
from sieveav.scanning.contract import EngineType
from sieveav.scanning.format import ANY
from sieveav.scanning.settings import EngineSettings
from sieveav.verdict import Verdict


def _variables(name: str, settings: EngineSettings, verdict: Verdict) -> Mapping[str, str]:  # noqa: ARG001
    return variables(name, verdict)


def _passive(text: str) -> bool:
    if BOOLEAN.read(text):
        raise ValueError("beik is always passive: leave it out")
    return False


def _warn_of_pool(pool: str) -> str:  # noqa: ARG001  # whichever it is
    return "it is not used: the kit scans in the processes of the program"


KIT = (
    Option("bmiconfig_path", FILE, None, "the kit's own configuration"),
    Option("header_padding", INTEGER, 512, "octets that the kit reserves for header fields"),
)

engine = EngineType(
    name="beik",
    summary="the Brightmail Engine Integration Kit, by a program that is linked with it; always passive",
    pool="IO",
    options=(
        *programs.OPTIONS,
        Option("enabled", ValueType("false", _passive), False, "it scans only when a script asks"),
        Option("accum_pool", TEXT, "IO", "the pool that messages are collected in; it is not used", warn=_warn_of_pool),
        Option("scan_pool", TEXT, "CPU", "the pool that the kit scans in; it is not used", warn=_warn_of_pool),
        *KIT,
    ),
    make=programs.maker(*(option.name for option in KIT), scan=scan),
    details=(
        "The program of the option command is the site's own, written with the vendor's kit: see sieveav explain program. It"
        " answers with values for each recipient: verdict, is_default, rules and tracker. They are the variables beik_verdict"
        " and so on, and beik::error if it fails. Verdicts are never cached. The kit scans in the program's process, so the"
        " pools of accum_pool and scan_pool are not used; bmiconfig_path and header_padding are handed to the program."
    ),
    cacheable=False,
    punctual=True,
    action="{}_scan",
    variables=_variables,
    within=("",),
    opens=(ANY,),
    whole=True,
)
