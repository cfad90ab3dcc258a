"""pdf_password: the encryption dictionary of a PDF to whether the document opens without a password. ISO 32000-2, 7.6.

Most encrypted documents do: their password only guards against changes. The ciphers are here because the standard library has
none; they are slow, but what they encrypt here is a few octets.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from hashlib import md5, sha256, sha384, sha512

# ---- values of a dictionary (7.3.4)

_TOKEN = re.compile(rb"\\([0-7]{1,3}|\r\n|.)|([()])|[^\\()]+", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\n": b"", b"\r": b"", b"\r\n": b""}
_HEXADECIMAL = re.compile(rb"<([0-9A-Fa-f\s]*+)>")


def string(data: bytes, at: int) -> bytes:
    """The string at an offset, in parentheses or hexadecimal; b"" if there is none."""
    if number := _HEXADECIMAL.match(data, at):
        digits = b"".join(number[1].split())
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
    octets, depth = bytearray(), 0
    for token in _TOKEN.finditer(data, at):
        if token[1]:
            is_number = token[1][0] in b"01234567"
            octets += bytes((int(token[1], 8) & 0xFF,)) if is_number else _ESCAPED.get(token[1], token[1])
            continue
        depth += {b"(": 1, b")": -1}.get(token[0], 0)
        if depth < 1:
            break
        octets += token[0]
    return bytes(octets[1:])


def _string(dictionary: bytes, name: bytes) -> bytes:
    key = re.search(rb"/%b\s*(?=[(<])" % name, dictionary)
    return string(dictionary, key.end()) if key else b""


def _number(dictionary: bytes, name: bytes, default: int = 0) -> int:
    key = re.search(rb"/%b\s+(-?\d{1,10})" % name, dictionary)
    return int(key[1]) if key else default


# ---- ciphers


def _rc4(key: bytes, data: bytes) -> bytes:
    box, j = list(range(256)), 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) & 0xFF
        box[i], box[j] = box[j], box[i]
    out, j = bytearray(), 0
    for i, octet in enumerate(data, 1):
        i &= 0xFF
        j = (j + box[i]) & 0xFF
        box[i], box[j] = box[j], box[i]
        out.append(octet ^ box[(box[i] + box[j]) & 0xFF])
    return bytes(out)


def _substitution() -> list[int]:
    """The S-box of AES. FIPS 197, 5.1.1: `q` is the inverse of `p`, a power of 3."""
    box, p, q = [0x63] * 256, 1, 1
    for _ in range(255):
        p = (p ^ p << 1 ^ (0x11B if p & 0x80 else 0)) & 0xFF
        q ^= q << 1
        q ^= q << 2
        q = (q ^ q << 4) & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        sums = q ^ q << 1 ^ q << 2 ^ q << 3 ^ q << 4
        box[p] = (sums ^ sums >> 8) & 0xFF ^ 0x63
    return box


_BOX = _substitution()
_DOUBLE = [octet << 1 ^ (0x11B if octet & 0x80 else 0) for octet in _BOX]
_COLUMN = [two << 24 | one << 16 | one << 8 | (two ^ one) for one, two in zip(_BOX, _DOUBLE, strict=True)]
_COLUMNS = [[(word >> shift | word << 32 - shift) & 0xFFFFFFFF for word in _COLUMN] for shift in (0, 8, 16, 24)]
"""What an octet of each row becomes in its column: SubBytes and MixColumns at once."""

_WORDS = struct.Struct(">4L")
_ROUNDS = 10


def _round_keys(key: bytes) -> list[int]:
    """FIPS 197, 5.2."""
    words, constant = list(_WORDS.unpack(key)), 1
    for number in range(4, 4 * (_ROUNDS + 1)):
        word = words[-1]
        if number % 4 == 0:
            a, b, c, d = word.to_bytes(4)
            word = (_BOX[b] ^ constant) << 24 | _BOX[c] << 16 | _BOX[d] << 8 | _BOX[a]
            constant = constant << 1 ^ (0x11B if constant & 0x80 else 0)
        words.append(words[-4] ^ word)
    return words


def aes_cbc(key: bytes, start: bytes, data: bytes) -> bytes:
    """`data`, whole blocks, encrypted by AES-128 in CBC mode with that key and initialization vector."""
    keys, first, second, third, fourth = _round_keys(key), *_COLUMNS
    out, state = bytearray(), list(_WORDS.unpack(start))
    for block in _WORDS.iter_unpack(data):
        state = [word ^ more ^ each for word, more, each in zip(state, block, keys, strict=False)]
        for at in range(4, 4 * _ROUNDS, 4):
            a, b, c, d = state
            state = [
                first[a >> 24] ^ second[b >> 16 & 255] ^ third[c >> 8 & 255] ^ fourth[d & 255] ^ keys[at],
                first[b >> 24] ^ second[c >> 16 & 255] ^ third[d >> 8 & 255] ^ fourth[a & 255] ^ keys[at + 1],
                first[c >> 24] ^ second[d >> 16 & 255] ^ third[a >> 8 & 255] ^ fourth[b & 255] ^ keys[at + 2],
                first[d >> 24] ^ second[a >> 16 & 255] ^ third[b >> 8 & 255] ^ fourth[c & 255] ^ keys[at + 3],
            ]
        octets = bytes(_BOX[octet] for octet in _WORDS.pack(*state))
        shifted = bytes(octets[5 * place % 16] for place in range(16))
        state = [word ^ key for word, key in zip(_WORDS.unpack(shifted), keys[-4:], strict=True)]
        out += _WORDS.pack(*state)
    return bytes(out)


# ---- the password (7.6.4)

_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
"""The empty password, padded. Algorithm 2, step a."""


def _key(dictionary: bytes, identifier: bytes, revision: int) -> bytes:
    """Algorithm 2: the key that the empty password gives."""
    size = 5 if revision == 2 else min(16, _number(dictionary, b"Length", 40) // 8)
    size = 16 if revision == 4 else size
    permissions = (_number(dictionary, b"P") & 0xFFFFFFFF).to_bytes(4, "little")
    seed = _PADDING + _string(dictionary, b"O")[:32] + permissions + identifier
    if revision == 4 and re.search(rb"/EncryptMetadata\s+false", dictionary):
        seed += b"\xff" * 4
    digest = md5(seed, usedforsecurity=False).digest()
    for _ in range(50 if revision > 2 else 0):
        digest = md5(digest[:size], usedforsecurity=False).digest()
    return digest[:size]


def _by_rc4_40(dictionary: bytes, identifier: bytes) -> bool:
    """Algorithm 4."""
    return _rc4(_key(dictionary, identifier, 2), _PADDING) == _string(dictionary, b"U")[:32]


def _by_rc4(revision: int) -> Callable[[bytes, bytes], bool]:
    """Algorithm 5."""

    def opens(dictionary: bytes, identifier: bytes) -> bool:
        key = _key(dictionary, identifier, revision)
        check = md5(_PADDING + identifier, usedforsecurity=False).digest()
        for number in range(20):
            check = _rc4(bytes(octet ^ number for octet in key), check)
        return check == _string(dictionary, b"U")[:16]

    return opens


def _hash(seed: bytes) -> bytes:
    """Algorithm 2.B for the empty password."""
    digest, number, last = sha256(seed).digest(), 0, 0
    while number < 64 or last > number - 32:
        octets = aes_cbc(digest[:16], digest[16:32], digest * 64)
        digest = (sha256, sha384, sha512)[sum(octets[:16]) % 3](octets).digest()
        number, last = number + 1, octets[-1]
    return digest[:32]


def _by_sha256(hashed: Callable[[bytes], bytes]) -> Callable[[bytes, bytes], bool]:
    """Algorithm 11: a hash of the password, and the octets that it was salted with."""

    def opens(dictionary: bytes, identifier: bytes) -> bool:  # noqa: ARG001  # has the signature of all of them
        check = _string(dictionary, b"U")
        return hashed(check[32:40]) == check[:32]

    return opens


_REVISIONS = {
    2: _by_rc4_40,
    3: _by_rc4(3),
    4: _by_rc4(4),
    5: _by_sha256(lambda seed: sha256(seed).digest()),
    6: _by_sha256(_hash),
}


def opens_without(dictionary: bytes, identifier: bytes) -> bool:
    """Whether a document with this encryption dictionary, and the first string of its file identifier, opens without a
    password. False if its security handler is another than the standard one."""
    opens = _REVISIONS.get(_number(dictionary, b"R"))
    return (
        opens is not None
        and re.search(rb"/Filter\s*/Standard\b", dictionary) is not None
        and opens(dictionary, identifier)
    )
