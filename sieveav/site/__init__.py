"""site: a configuration file to a `Site`, and a site and a transaction to a decision.

*Takes*: the configuration file, what is installed (extensions, engines), a `Transaction`.
*Gives*: a `Site`: its engines, its scripts for each phase and user; a `Decision` for a transaction.
*Imports*: language, running, engines, itself, the leaves; the package ply, in `configuration.py` alone.
*Never*: speaks a mail protocol, carries an action out, writes for people.
*Begin at*: `deciding.py` (from entrance to exit), then `site.py` (what a site is), `world.py` (who answers scripts),
`repository.py` (the scripts that they ask for).

A configuration on its way: `configuration.py` (text to stanzas), `checking.py` with the tables of `options.py` (stanzas to
settings), `site.py`.
"""
