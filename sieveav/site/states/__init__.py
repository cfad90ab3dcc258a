"""states: backends for what scripts remember; one file for each.

*Takes*: a location, as the configuration names it.
*Gives*: a `State`: keys that are remembered for owners until a time; a `VerdictStore`, if processes can share the backend.
*Imports*: site's `state.py`, itself, the leaves; the package redis, in `redis.py`, when it is used.
*Never*: knows what the keys mean.
*Begin at*: `memory.py` (the smallest), then `sqlite.py`.
"""
