r"""special_uses: which mailboxes have which special-use attribute (RFC 6154), as "Junk=\\Junk" says it.

A Maildir keeps no attributes, so the site gives them: the same for all users. A mailbox has an attribute if it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sieveav.printing import printable
from sieveav.running.effects import mailbox_flaw, mailbox_key, special_use_flaw
from sieveav.running.questions import Mailbox

SpecialUse = tuple[str, str]
"""A mailbox, as `mailbox_key` gives its name, and an attribute in lower case: names of attributes are case-insensitive."""


def special_use(text: str) -> SpecialUse:
    r"""What `Junk=\Junk` says. ValueError if it is not of this form."""
    mailbox, _, name = text.rpartition("=\\")
    if mailbox_flaw(mailbox) or special_use_flaw(f"\\{name}"):
        raise ValueError(rf'"{printable(text, "?", 60)}" is not MAILBOX=\ATTRIBUTE, such as Junk=\Junk')
    return mailbox_key(mailbox), f"\\{name.lower()}"


def mailboxes_with(uses: Iterable[SpecialUse], attribute: str) -> Iterator[str]:
    """The mailboxes that have the attribute, if they exist, in order."""
    return (mailbox for mailbox, own in uses if own == attribute.lower())


def exists(asked: Mailbox, uses: Iterable[SpecialUse], has: Callable[[str], bool]) -> bool:
    """The answer to `Mailbox`, where `has` says whether mail can be stored in the mailbox of that name. There are no mailbox
    ids."""
    if asked.mailbox_id:
        return False
    if not asked.special_use:
        return bool(asked.name) and has(asked.name)
    # RFC 8579, 3: the mailbox that is named, if one is, else any
    name = mailbox_key(asked.name) if asked.name else None
    return any(has(mailbox) for mailbox in mailboxes_with(uses, asked.special_use) if name in (None, mailbox))
