"""frontends: command lines (and in time protocols) to decisions, and decisions to what people and machines read.

*Takes*: arguments, files, standard input.
*Gives*: text, JSON, exit statuses.
*Imports*: all the other rooms.
*Never*: decides policy.
*Begin at*: `cli.py`.
"""
