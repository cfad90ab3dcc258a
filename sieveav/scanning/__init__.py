"""scanning: an engine and its settings to an engine that is safe to ask: in time, cached, by parts, counted.

*Takes*: an `EngineType` and the settings of its stanza; then a `Content` and a `Deadline`.
*Gives*: a `Verdict`; `clean` only from an exact, complete, well-terminated clean reply.
*Imports*: itself, the leaves.
*Never*: knows Sieve, names an engine, raises for a fault of the world, waits beyond the deadline.
*Begin at*: `contract.py` (what an engine is), then `assembling.py` (how a configuration nests engines around engines).
"""
