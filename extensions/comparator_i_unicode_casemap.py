"""comparator-i;unicode-casemap: compare case-insensitively in all writing systems (RFC 5051).

"ÉCOLE" equals "école", "ΑΘΗΝΑ" equals "Αθηνα", and compatibility forms of a letter, such as full width or a combining
accent, equal the plain form. Accents matter: "ecole" differs from "école". "ß" is not "ss". For :matches, a letter and its
accent are two characters.
"""

from __future__ import annotations

import unicodedata

from sieveav.extending import Comparator, Extension

casemap = Extension("comparator-i;unicode-casemap", "RFC 5051")


def _title(character: str) -> str:
    """The simple title case of a character (UnicodeData.txt). Python's `title` also applies SpecialCasing.txt, which gives
    several characters: such a character has no simple title case."""
    titled = character.title()
    return titled if len(titled) == 1 else character


def prepared(text: str) -> str:
    """RFC 5051, 2: each character to title case, then full decomposition."""
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", "".join([_title(character) for character in text]))


@casemap.comparator("i;unicode-casemap")
class UnicodeCasemap(Comparator):
    """i;unicode-casemap: compare letters of all writing systems case-insensitively. RFC 5051."""

    octets = False  # RFC 5228, 2.7.1: `?` matches one Unicode character (after decomposition)
    fold = staticmethod(prepared)
