"""rules: the name of a rule to what is wrong where it applies, for the problems that the checker itself reports.

A rule's name is made of words, the noun first: `tag-unknown`. Three groups of rules are not in the table, because their
names depend on what extensions declare; they are in `Extension.rules`:

* `<argument>-invalid` for each argument with `valid=`, such as `year-invalid`;
* `<kind>-unknown` for each kind of choice, such as `comparator-unknown`;
* what an extension declares with `Extension.rule`.

The rules of advice are files of their own: sieveav/lint/rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

RULE_NAME = re.compile(r"[a-z]+(?:-[a-z0-9]+)+")
"""The form of a rule's name."""

RULES: Mapping[str, str] = MappingProxyType(
    {
        # the text
        "encoding-invalid": "the script is not UTF-8",
        "escape-undefined": "a backslash precedes a character other than a quote and a backslash",
        "nesting-too-deep": "blocks or tests are nested too deeply",
        "problems-too-many": "the script has more problems than are listed",
        "script-too-large": "the script has too many octets",
        "script-too-long": "the script has too many commands and tests",
        "semicolon-missing": "a command does not end with a semicolon",
        "string-too-long": "a string is longer than a script may contain",
        "string-unquoted": "text is not in quotes",
        "syntax": "the script does not follow the grammar of RFC 5228, 8",
        # words
        "word-ambiguous": "two required extensions define the same word",
        "word-unknown": "no command or test has this name, or a require is missing",
        "phase-invalid": "the command or test is not allowed in this phase",
        # arguments
        "argument-invalid": "the value of an argument is invalid",
        "argument-missing": "a positional argument is missing",
        "argument-surplus": "there are more positional arguments than the word takes",
        "argument-type": "an argument is of the wrong type, or a test or block is missing or not allowed",
        "argument-not-constant": "an argument that must be constant contains a variable",
        "arguments-too-many": "a command or test has too many arguments",
        "tag-late": "a tagged argument follows a positional argument",
        "tag-missing": "a tag that is required, alone or by another tag, is missing",
        "tag-repeated": "a tag is repeated, or two tags exclude each other",
        "tag-unknown": "the word does not take this tag, or a require is missing",
        # require
        "capabilities-too-many": "the script requires too many extensions",
        "require-late": "require follows another command",
        "require-obsolete": "the extension has been replaced by another",
        "require-unknown": "no extension has this name, or this version does not support it",
        # of words that come with the language, and of those that extensions build on them
        "address-invalid": "the address is not a valid email address",
        "break-outside": "break is not in a loop",
        "comparator-unfit": "the comparator cannot be used with the match type",
        "header-name": "no header field can have this name",
        "header-no-address": "the header field does not contain addresses",
        "variable-name": "the name of a variable is invalid",
        "variables-too-many": "the script uses too many variables",
    }
)
"""The rules of the reader, the checker and the words that need no `require`: name -> what is wrong, in one line."""


def unknown_choice(kind: str) -> str:
    """The rule of the problem that a string names no choice of `kind`."""
    return f"{kind.replace('_', '-')}-unknown"
