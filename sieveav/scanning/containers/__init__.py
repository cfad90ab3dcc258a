"""containers: an archive that libarchive reads to its members: a parser written in C, so never in the process that scans.

*Takes*: the name of a format, the octets of an archive and a `Budget` (see sieveav/scanning/layers.py).
*Gives*: the `Layer`s in it, and an `Obstacle` for what cannot be opened; `Missing` without the extra `containers`.
*Imports*: scanning, the leaves; in the helper process alone, the packages libarchive and rarfile.
*Never*: writes to a disk, starts a program of a format, asks libarchive to guess the format, takes silence for success.
*Begin at*: `helpers.py` (this process), `worker.py` (the helper process and its children), `reading.py` (what they read).
"""
