"""rules: the name of a rule to what is wrong where it applies, for the problems of a configuration.

A rule's name is made of words, the noun first: `option-unknown`. A stanza of another package may have rules of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    "engine-not-global": "an engine is declared inside antivirus, but not at the top level",
    "engine-repeated": "two engines have the same name for scripts",
    "engine-unused": "an engine or a framework is declared, but nothing is scanned",
    "extension-unknown": "no extension has this name",
    "list-missing": "a script names a list that the configuration does not have",
    "option-conflict": "two options contradict each other",
    "option-misplaced": "the option is one of another stanza",
    "option-missing": "an option that is required is missing",
    "option-repeated": "an option is written twice",
    "option-unknown": "the stanza has no option of this name",
    "phase-repeated": "several scripts are for the same phase",
    "phase-unknown": "no phase has this name",
    "pool-unknown": "no thread pool has this name",
    "script-missing": "a script includes a global script that does not exist",
    "script-unreadable": "a script's file cannot be read",
    "setting-misplaced": "a setting is outside of every stanza",
    "stanza-misplaced": "the stanza is not allowed in this place",
    "stanza-name": "the stanza has no name, or a name that it cannot have",
    "stanza-repeated": "two stanzas have the same type and name",
    "stanza-unknown": "no stanza has this name",
    "syntax": "the file does not follow the grammar of the configuration",
    "value-invalid": "the value of an option is invalid",
    "value-risky": "the value of an option is accepted, but may not be what is wanted",
    "variable-repeated": "two engines set the same context variable",
}
