"""comparator-i;unicode-casemap: compare without regard to the case of any script's letters (RFC 5051).

"ÉCOLE" and "école" are equal, "ΑΘΗΝΑ" and "Αθηνα" too, and letters that are only written in another form, such as those of
full width, or with the accent apart. Accents count: "ecole" is another word. "ß" is not "ss". For :matches, a letter with
its accent is two characters.
"""

from __future__ import annotations

import unicodedata

from sieveav.extending import Comparator, Extension

casemap = Extension("comparator-i;unicode-casemap", "RFC 5051")


def _title(character: str) -> str:
    """The simple title case of a character, as UnicodeData.txt has it: one character; where the language gives the several
    of SpecialCasing.txt there is none."""
    found = character.title()
    return found if len(found) == 1 else character


def prepared(text: str) -> str:
    """RFC 5051, 2: each character to title case, then decomposed as far as it goes."""
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", "".join([_title(character) for character in text]))


@casemap.comparator("i;unicode-casemap")
class UnicodeCasemap(Comparator):
    """i;unicode-casemap: letters of all scripts without regard to case. RFC 5051."""

    octets = False  # RFC 5228, 2.7.1: a character is a Unicode character, so `?` is one of them, decomposed
    fold = staticmethod(prepared)
