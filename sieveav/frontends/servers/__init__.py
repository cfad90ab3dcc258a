"""servers: front ends that serve a protocol, each with its stanza; one file for each.

*Takes*: the settings of its stanzas, a site, listening sockets.
*Gives*: a running server: its connections are answered by the site's scripts.
*Imports*: language, running, scanning, site, lint, frontends, itself, the leaves.
*Never*: decides policy, imports asyncio before it is started.
*Begin at*: `milter.py`.
"""
