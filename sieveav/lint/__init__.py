"""lint: a checked script to findings.

*Takes*: what the checker made of a script: its phrases and problems, and its source.
*Gives*: findings: the checker's problems and further advice, as `Problem`s.
*Imports*: language, the types of running, the leaves.
*Never*: runs a script, asks the world.
*Begin at*: `linting.py`.
"""
