"""comparator-i;octet, comparator-i;ascii-casemap: the two comparators that are always there (RFC 5228, 2.7.3).

They need no `require`; a script may write one all the same, and nothing changes. i;octet tells upper case from lower;
i;ascii-casemap, which is used where no comparator is named, does not for the letters A to Z.
"""

from __future__ import annotations

from sieveav.extending import Extension

octet = Extension("comparator-i;octet", "RFC 4790, 9.3")
ascii_casemap = Extension("comparator-i;ascii-casemap", "RFC 4790, 9.2")
