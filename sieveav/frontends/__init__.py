"""frontends: command lines and connections of mail servers to decisions, reports, replies and delivered mail.

*Takes*: arguments, files, standard input; the milter protocol, LMTP.
*Gives*: text, JSON, exit statuses; replies, files in Maildirs, messages to other servers.
*Imports*: `language`, `running`, `scanning`, `site`, `lint`, the leaves, prometheus_client.
*Never*: decides what happens to a message.
*Begin at*: `cli.py`, then a file of `commands/`; for mail servers a file of `servers/`, then `milter_session.py` or
`lmtp_session.py`, and `delivering.py`.
"""
