"""commands: one file for each command of the command line; only that of the command that is named is imported.

*Takes*: the arguments of a command line, parsed.
*Gives*: output, and an exit status.
*Imports*: language, running, scanning, site, lint, the leaves.
*Never*: is imported by another package.
*Begin at*: `run.py`.
"""
