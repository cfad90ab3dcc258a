"""comparator-i;ascii-numeric: compare strings as the numbers they begin with (RFC 4790, 9.1).

"7", "007" and "7 points" are equal; "9" is less than "10". A string that does not begin with a digit is more than every
number, and equal to every other such string: there are no negative numbers. It goes with :is, and with :value and :count
of "relational"; not with :contains and :matches.
"""

from __future__ import annotations

import math
import re

from sieveav.extending import Comparator, Extension

numeric = Extension("comparator-i;ascii-numeric", "RFC 4790, 9.1")

_DIGITS = re.compile(r"0*+([0-9]*+)")


def number(text: str) -> str:
    """The digits of the number that `text` begins with, none for infinity; of any length, so they stay digits."""
    found = _DIGITS.match(text)
    assert found is not None  # it matches the empty string  # noqa: S101
    # RFC 4790, 9.1.1: truncated at the first non-digit; none at all is positive infinity
    return found[1] or ("0" if found[0] else "")


@numeric.comparator("i;ascii-numeric")
class AsciiNumeric(Comparator):
    """i;ascii-numeric: as unsigned decimal numbers of any size. RFC 4790, 9.1."""

    substring = False  # RFC 4790, 9.1.1: equality and ordering only
    numeric = True
    fold = staticmethod(number)

    def order(self, value: str) -> tuple[float, str]:
        return (len(value) or math.inf, value)
