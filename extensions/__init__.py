"""extensions: one file for each extension of the language, named after its chief capability.

*Takes*: the names of `sieveav.extending`, the standard library, a well-kept library where one serves.
*Gives*: words: `Extension` objects with what they declare; found by being here.
*Imports*: nothing else: not the rooms, not another extension's insides.
*Never*: edits the core, keeps state outside a run.
*Begin at*: `copy.py`, the smallest; `virustest.py`, a whole test.
"""
