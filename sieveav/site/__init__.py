"""site: a configuration file to a `Site`, and a site and a transaction to a decision.

*Takes*: the configuration file, what is installed (extensions, engines, stanzas, state backends), a `Transaction`.
*Gives*: a `Site`: its settings, its engines, its scripts for each phase and user; a `Decision` for a transaction.
*Imports*: language, running, scanning, itself, the leaves; the packages ply, in `config_tokens.py` and `configuration.py`, and
redis, in `states/redis.py`.
*Never*: speaks a mail protocol, carries an action out, prints.
*Begin at*: `deciding.py` (the path of a message), then `site.py` (what a site is), `scans.py` (who answers scripts about
viruses), `users.py` and `repository.py` (the scripts of users, and those that scripts ask for).

A configuration on its way: `config_tokens.py` (text to tokens), `configuration.py` (tokens to stanzas), `settings.py`
(stanzas to settings; `stanza.py` says what a stanza is), `site.py`.
"""
