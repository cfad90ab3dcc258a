"""library: the extensions that are installed, each imported when a script first requires it.

An extension's file is named after its chief capability, so that a `require` imports one file.
"""

from __future__ import annotations

from collections.abc import Iterable

from sieveav.language.extension import Extension
from sieveav.plugins import Plugins

OURS = "sieveav.extensions"

DOCUMENTED = frozenset(
    """antivirus body comparator-elbonia comparator-i;ascii-casemap comparator-i;ascii-numeric comparator-i;octet
    comparator-i;unicode-casemap convert copy date duplicate ec_action ec_disconnect ec_header ec_inc_counter ec_include ec_log
    ec_tarpit editheader enclose encoded-character enotify envelope envelope-deliverby envelope-dsn environment ereject
    extlists extracttext fcc fileinto foreverypart ihave imap4flags imapflags imapsieve include index mailbox mailboxid
    mboxmetadata mime notify processcalendar redirect-deliverby redirect-dsn regex reject relational replace servermetadata
    snooze spamtest spamtestplus special-use subaddress vacation vacation-seconds variables vctx virustest vnd.cyrus.imip
    vnd.cyrus.implicit_keep_target vnd.cyrus.jmapquery vnd.cyrus.log vnd.cyrus.redirect-multiple vnd.cyrus.snooze
    vnd.dovecot.debug vnd.dovecot.environment vnd.dovecot.execute vnd.dovecot.filter vnd.dovecot.pipe vnd.dovecot.report
    vnd.dovecot.testsuite vnd.proton.eval vnd.proton.expire vnd.stalwart.expressions vnd.stalwart.while""".split()
)
"""The capabilities of the standards and of other servers. One that is not installed is reported as missing from this
version, not as a typing mistake."""


class Library(Plugins[Extension]):
    """All extensions that are installed. `roots`, in tests, names the modules and packages instead."""

    def __init__(self, roots: Iterable[str] | None = None) -> None:
        super().__init__(Extension, "extension", "sieveav.extensions", [OURS], roots)

    def later(self, capability: str) -> bool:
        """Whether `capability`, which is not installed, is a documented one."""
        return capability in DOCUMENTED
