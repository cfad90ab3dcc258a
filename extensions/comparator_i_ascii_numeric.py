"""comparator-i;ascii-numeric: compare strings as the numbers they begin with (RFC 4790, 9.1).

"7", "007" and "7 points" are equal; "9" is less than "10". A string that does not begin with a digit is greater than every
number and equal to every other such string, so there are no negative numbers. It works with :is, and with :value and
:count of "relational"; not with :contains and :matches.
"""

from __future__ import annotations

import math
import re

from sieveav.extending import Comparator, Extension

numeric = Extension("comparator-i;ascii-numeric", "RFC 4790, 9.1")

_DIGITS = re.compile(r"0*+([0-9]*+)")


def number(text: str) -> str:
    """The digits of the number at the beginning of `text`, "" for infinity. They can be too many for an int."""
    match = _DIGITS.match(text)
    assert match is not None  # it matches the empty string  # noqa: S101
    # RFC 4790, 9.1.1: truncated at the first non-digit; a string without leading digits is positive infinity
    return match[1] or ("0" if match[0] else "")


@numeric.comparator("i;ascii-numeric")
class AsciiNumeric(Comparator):
    """i;ascii-numeric: compare as unsigned decimal numbers of any size. RFC 4790, 9.1."""

    substring = False  # RFC 4790, 9.1.1: equality and ordering only
    numeric = True
    fold = staticmethod(number)

    def order(self, value: str) -> tuple[float, str]:
        return (len(value) or math.inf, value)
