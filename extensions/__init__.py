"""extensions: one file for each extension of the language, named after its chief capability.

*Takes*: the names of `sieveav.extending`, the standard library, a well-maintained library where one helps.
*Gives*: words: `Extension` objects with their declarations. Every file in this folder is found; there is no list.
*Imports*: extending, the standard library, re2 for regular expressions; no other extension.
*Never*: changes the core, keeps state outside a run.
*Begin at*: `copy.py`, the smallest; `virustest.py`, a whole test.
"""
