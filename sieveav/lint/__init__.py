"""lint: a checked script to all its problems: the checker's own, and those of the lint rules.

*Takes*: a `Checked`: the source, phrases, comments, problems and vocabulary of a script.
*Gives*: its `Problem`s, in order of place.
*Imports*: language, running, the leaves.
*Never*: runs a script, asks the world.
*Begin at*: `linting.py`, then `rule.py` (what a rule is) and a rule, such as `rules/command_unreachable.py`.
"""
