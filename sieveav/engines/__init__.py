"""engines: content to a verdict; one file for each engine.

*Takes*: a `Content` (a message's or a part's octets) and a `Deadline`.
*Gives*: a `Verdict`; `clean` only from an exact, complete, well-terminated clean reply.
*Imports*: scanning, itself, the leaves; the packages clamd and yara_x, each where first used.
*Never*: knows Sieve, raises for a fault of the world, waits beyond the deadline, starts a shell.
*Begin at*: `clamav.py` or `yara.py` (one engine, one file).

To add an engine, add a file with an `EngineType` at its top level.
"""
