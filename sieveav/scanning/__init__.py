"""scanning: an engine and its settings into an engine that is safe to ask: in time, cached, by parts, counted.

*Takes*: an `EngineType`, the settings of its stanza and the thread pools; then a `Content` and a `Deadline`.
*Gives*: a `Verdict`; `clean` only after an exact, complete, well-terminated clean reply.
*Imports*: itself, the leaves.
*Never*: knows Sieve, names an engine, raises for a fault of the environment, waits beyond the deadline.
*Begin at*: `contract.py` (what an engine is), then `assembling.py` (how a configuration nests wrappers around it).

For authors of engines: `connecting.py` (asking a daemon), `programs.py` (a program), `failover.py` (several daemons),
`naming.py` (names of signatures), `unpacking.py` (the layers of a content), `format.py` and `formats/` (what is opened, one
file for each format).
"""
