"""comparator-i;octet, comparator-i;ascii-casemap: the two built-in comparators (RFC 5228, 2.7.3).

They need no `require`; a script may require them anyway, without effect. i;octet is case-sensitive; i;ascii-casemap, the
default, ignores the case of the letters A to Z.
"""

from __future__ import annotations

from sieveav.extending import Extension

octet = Extension("comparator-i;octet", "RFC 4790, 9.3")
ascii_casemap = Extension("comparator-i;ascii-casemap", "RFC 4790, 9.2")
