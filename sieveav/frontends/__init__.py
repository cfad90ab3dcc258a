"""frontends: command lines to decisions and reports, for people and programs.

*Takes*: arguments, files, standard input.
*Gives*: text, JSON, exit statuses.
*Imports*: `language`, `running`, `scanning`, `site`, `lint`, and the leaves.
*Never*: decides what happens to a message.
*Begin at*: `cli.py`, then a file of `commands/`.
"""
