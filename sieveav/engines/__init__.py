"""engines: content to a verdict; antivirus engines, and the engines around engines that make them safe to ask.

*Takes*: a `Content` (a message's or a part's octets) and a `Deadline`.
*Gives*: a `Verdict`; `clean` only from an exact, complete, well-terminated clean reply.
*Imports*: itself, the leaves verdict, limits, options and mime; the packages clamd and yara_x, each where first used.
*Never*: knows Sieve, raises for a fault of the world, waits beyond the deadline, starts a shell.
*Begin at*: `contract.py` (what an engine is), then `clamav.py` or `yara.py` (one engine, one file), then `assembling.py`
(how a configuration nests engines around engines).

To add an engine, add a file with an `EngineKind` at its top level; `discovery` finds it.
"""
