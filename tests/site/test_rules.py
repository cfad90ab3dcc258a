"""Every rule of a configuration's problems is in the table, and every one in the table is used."""

from __future__ import annotations

import re
from pathlib import Path

from sieveav.language.rules import RULE_NAME
from sieveav.site import site
from sieveav.site.rules import RULES

LITERAL = re.compile(r'(?:(?:error|warn|Problem)\(\s*|rule(?:, message)? = |rule: str = |rule=)"([a-z]+(?:-[a-z]+)*)"')


def test_the_table() -> None:
    used = set()
    for path in Path(site.__file__).parent.rglob("*.py"):
        used |= set(LITERAL.findall(path.read_text(encoding="utf-8")))
    assert used == set(RULES)
    assert list(RULES) == sorted(RULES)
    assert all(RULE_NAME.fullmatch(name) for name in RULES if name != "syntax")
