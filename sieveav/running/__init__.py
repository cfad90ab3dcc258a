"""running: a program, a message, an envelope and a host to an outcome.

*Takes*: a `Program`, a `Case` (message, envelope, host, context variables, limits).
*Gives*: an `Outcome`: actions, response, fault, trace, as data.
*Imports*: language, itself, the leaves.
*Never*: opens anything, asks except through its host, catches its own bugs, names an extension.
*Begin at*: `executing.py` (a script to an outcome), `run.py` (a run as words see it), then `base.py` (the words of
RFC 5228), `matching.py` (values against keys).
"""
