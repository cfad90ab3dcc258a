"""engines: content into a verdict; one file for each engine.

*Takes*: a `Content` (the octets of a message or a part) and a `Deadline`.
*Gives*: a `Verdict`; `clean` only after an exact, complete, well-terminated clean reply.
*Imports*: scanning, itself, the leaves; the vendor packages clamd, yara_x and re2, each where it is first used.
*Never*: knows Sieve, raises for a fault of the environment, waits beyond the deadline, starts a shell.
*Begin at*: `clamav.py` or `yara.py` (one engine, one file).

To add an engine, add a file with an `EngineType` at its top level. The file that imports a vendor package names it: `PACKAGE`.
"""
