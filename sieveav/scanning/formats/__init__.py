"""formats: the formats of archives, documents and messages that are opened, one file each: `tar.py` declares the format `tar`.

*Takes*: a `Layer` and a `Budget` (see sieveav/scanning/layers.py).
*Gives*: the `Layer`s in it, and an `Obstacle` for what cannot be opened.
*Imports*: scanning, the leaves; the packages olefile and backports (zstd, before Python 3.14), each where it is first used.
*Never*: unpacks more than its budget allows, allocates what a header states, starts a program, takes silence for success.
*Begin at*: `tar.py`; copy it.
"""
