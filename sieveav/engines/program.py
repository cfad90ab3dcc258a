"""program: an external scanner program, in any language, which sieveav starts and speaks to by lines of JSON.

    C: {"id": 2, "request": "scan", "size": 5512, "path": "/var/tmp/sieveav-x1", …}
    S: {"id": 2, "status": "infected", "info": "Eicar-Test-Signature"}

It is the way to the kit of a vendor that has no protocol of its own. `program_lines` describes all requests and answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sieveav.options import Option, ValueType
from sieveav.scanning import programs
from sieveav.scanning.contract import EngineType, status_variables
from sieveav.scanning.program_lines import NAME
from sieveav.scanning.settings import EngineSettings
from sieveav.verdict import Verdict, plain


def _variables(name: str, settings: EngineSettings, verdict: Verdict) -> Mapping[str, str]:
    """The program's own values get the engine's name in front; none of them replaces the status. Only those that the site names
    are set: so it is known which variables belong to the engine, and no user's script sets them."""
    own = {f"{name}_{value}": verdict.values.get(value, "") for value in settings.options.get("values", ())}
    return {**own, **status_variables(name, settings, replace(verdict, values={}))}


def _value(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f'"{plain(text)}" is not the name of a value: write small letters, digits and _')
    return text


engine = EngineType(
    name="program",
    summary="a scanner program of the site's, by lines of JSON over its standard input and output",
    pool="IO",
    options=(
        *programs.OPTIONS,
        Option(
            "values",
            ValueType("name of a value", _value, many=True),
            (),
            "the names of the values that the program answers with, and that become variables",
        ),
    ),
    make=programs.maker(),
    details=(
        'Each request is a line such as {"id": 2, "request": "scan", "is_message": true, "size": 5512, "path":'
        ' "/var/tmp/x", "envelope": {"sender": "", "recipients": [], "client": "", "helo": "", "login": ""}}, with "data"'
        ' in base64 instead of "path" if inline is set. Its answer is {"id": 2, "status": "infected", "info": "NAME",'
        ' "code": 7, "values": {"score": "9"}, "recipients": {"a@example.com": {"score": "5"}}}: a status of the test'
        ' antivirus, and what else there is. The first request is {"id": 0, "request": "version", "options": {}}, with the'
        ' answer {"id": 0, "version": "TEXT"}, for which there are two minutes. Later {"id": 3, "request": "version"} and'
        ' {"id": 4, "request": "stats"} may come, the latter with the answer {"id": 4, "stats": {}}. The values that the'
        " option values names are variables that begin with the name of the engine and _. Clean only after an exact answer"
        " with the status clean; anything that is not of this form is an error, and ends the process. The program must end"
        " when its standard input does; what it writes to its standard error is logged."
    ),
    cacheable=False,
    punctual=True,
    variables=_variables,
)
