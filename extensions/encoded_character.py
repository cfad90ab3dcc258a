"""encoded-character: write characters by their numbers in strings (RFC 5228, 2.4.2.4).

`${hex:40}` is the octet 40 (hexadecimal), `${unicode:263a}` the Unicode character 263a; several numbers are separated by
blanks: `${hex: e2 98 ba}`. Anything else is left unchanged. Octets are joined with the surrounding text before it is
decoded as UTF-8. With "variables", characters are decoded first: `${hex:24}{name}` is a variable.
"""

from __future__ import annotations

import re

from sieveav.extending import Extension, Span, Use

encoded_character = Extension("encoded-character", "RFC 5228, 2.4.2.4")
encoded_character.rule("character-invalid", "the number is not a Unicode code point")


def _sequence(number: str) -> str:
    blank = r"(?:[ \t]|\r\n)"
    return rf"{blank}*+({number}(?>(?:{blank}++{number})*)){blank}*+"


_ENCODED = re.compile(
    rf"\$\{{(?:hex:{_sequence('[0-9a-f]{1,2}+')}|unicode:{_sequence('[0-9a-f]++')})\}}", re.IGNORECASE | re.ASCII
)


def _decoded(match: re.Match[str]) -> str:
    """The characters of one sequence; octets beyond ASCII become surrogates, as in text that is not UTF-8."""
    octets, characters = ([int(number, 16) for number in (group or "").split()] for group in match.groups())
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
        for match in _ENCODED.finditer(text):
            for number in (match[2] or "").split():
                if not _exists(number):
                    hint = "code points are 0 to d7ff and e000 to 10ffff"
                    message = f"{number[:60]} is not a Unicode code point"
                    use.complain(span, message, hint, rule="character-invalid")
                    return text
        return _ENCODED.sub(_decoded, text).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
