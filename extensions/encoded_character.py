"""encoded-character: write characters by their numbers in strings (RFC 5228, 2.4.2.4).

`${hex:40}` stands for the octet 40 (hexadecimal), `${unicode:263a}` for that Unicode character; several numbers stand
apart by blanks: `${hex: e2 98 ba}`. What does not look exactly so is left as it is. Octets are joined with what is around
them before they are read as UTF-8. With "variables", characters come first: `${hex:24}{name}` is a variable.
"""

from __future__ import annotations

import re

from sieveav.extending import Extension, Span, Use

encoded_character = Extension("encoded-character", "RFC 5228, 2.4.2.4")


def _sequence(number: str) -> str:
    blank = r"(?:[ \t]|\r\n)"
    return rf"{blank}*+({number}(?>(?:{blank}++{number})*)){blank}*+"


_ENCODED = re.compile(
    rf"\$\{{(?:hex:{_sequence('[0-9a-f]{1,2}+')}|unicode:{_sequence('[0-9a-f]++')})\}}", re.IGNORECASE | re.ASCII
)


def _decoded(found: re.Match[str]) -> str:
    """The characters of one sequence; octets beyond ASCII stand for themselves, as in a text that is no UTF-8."""
    octets, characters = ([int(number, 16) for number in (group or "").split()] for group in found.groups())
    return bytes(octets).decode("ascii", "surrogateescape") + "".join(map(chr, characters))


def _exists(number: str) -> bool:
    """RFC 5228, 2.4.2.4: from 0 to D7FF or from E000 to 10FFFF."""
    return not 0xD800 <= int(number, 16) <= 0xDFFF and int(number, 16) <= 0x10FFFF


@encoded_character.reader(order=10)
class EncodedCharacter:
    """`${hex:...}` and `${unicode:...}` in strings. RFC 5228, 2.4.2.4."""

    def read(self, text: str, use: Use, span: Span) -> str:
        if "${" not in text:
            return text
        for found in _ENCODED.finditer(text):
            for number in (found[2] or "").split():
                if not _exists(number):
                    hint = "characters are numbered from 0 to d7ff and from e000 to 10ffff"
                    use.complain(span, "this is the number of no character", hint, rule="character-invalid")
                    return text
        return _ENCODED.sub(_decoded, text).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
