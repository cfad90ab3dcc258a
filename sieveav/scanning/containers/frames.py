"""frames: what the scanning process and a helper process say to each other, to octets and back.

A request is the name of a format, the seconds that are left, the number of octets, and the octets of the archive. The answer is
a sequence of frames: kind, length, octets. It is complete only with END; a helper whose child has died ends without it, and its
exit status says why.
"""

from __future__ import annotations

import struct

REQUEST = struct.Struct(">16sdQ")
FRAME = struct.Struct(">cL")

MEMBER = b"M"
"""A member begins; its name, in UTF-8 unless the archive has it in an unknown encoding."""
DATA = b"D"
"""Octets of the member."""
CLOSED = b"C"
"""All of the member has been read, and has the size that the archive states."""
ENCRYPTED = b"E"
"""A member, or with an empty name all of them, that cannot be read without a password; its name."""
UNUSUAL = b"U"
"""What follows is not what most programs show."""
FAULT = b"F"
"""The archive is broken, or in a form that cannot be read. Nothing follows but END."""
LIMIT = b"L"
"""Reading it takes too much memory. Nothing follows but END."""
END = b"Z"

LONGEST = 64 * 1024
"""Octets of a frame, at most."""

NAME = 1024
"""Octets of a name: its last ones, which have the extension."""

MISSING, LIMITED = 3, 4
"""Exit statuses of a helper: a library is not installed; its child needed too much memory or time of a processor."""

CPU = 3
"""Seconds of a processor that reading one archive may take."""

MEMORY = 512 * 1024 * 1024
"""Octets of address space of the process that reads one: that of Python, the archive, and what the library allocates."""
