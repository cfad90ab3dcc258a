"""repository: the name of a script to the script, for scripts that ask for others: a user's own, and the site's.

A name never leaves its folder: it is one entry of the folder, and if that is a link, its target must be in the folder too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from sieveav.language.checking import Checked
from sieveav.language.problems import Problem, Severity, Source, Span
from sieveav.running.lists import list_key
from sieveav.running.questions import Script
from sieveav.site.site import Site
from sieveav.site.stanzas.list import LISTS
from sieveav.site.stanzas.users import USERS
from sieveav.site.users import named_script


class Repository:
    """The scripts that the scripts of one recipient ("" in the data phase) may ask for by name.

    `own` is the script that runs as the recipient's own, instead of the one that the site names: their personal scripts are
    those in its folder.
    """

    def __init__(self, site: Site, recipient: str, own: Checked | None = None) -> None:
        self._site = site
        self._recipient = recipient
        self._own = own

    def find(self, asked: Script) -> Checked | None:
        """The script; None if there is no such script. If it cannot be read, that is its problem."""
        folder = self._folders.get(asked.location)
        path = None if folder is None else named_script(folder, asked.name)
        if path is None:
            return None
        real = os.path.realpath(path)
        if self._own is not None and real == os.path.realpath(self._own.source.path):
            return self._own
        path = self._paths.get(real, path)
        try:
            return self._site.scripts.checked(path, "each_rcpt" if self._recipient else "data")
        except OSError as error:
            problem = Problem("script-unreadable", f"cannot be read: {error.strerror or error}", Span(0, 0))
            return Checked(Source(str(path), ""), None, (problem,), ())

    @cached_property
    def _folders(self) -> dict[str, Path | None]:
        users = self._site.settings[USERS]
        if self._own is not None and self._recipient:
            personal: Path | None = Path(self._own.source.path).parent
        else:
            personal = users.personal(self._recipient) if self._recipient else None
        return {"personal": personal, "global": users.shared}

    @cached_property
    def _paths(self) -> dict[str, Path]:
        """Real path -> path of the scripts that the site runs, so that each has one name in a run."""
        own = self._site.settings[USERS].active(self._recipient) if self._recipient else None
        paths = [path for path, _ in self._site.policies()] + ([] if own is None else [own])
        return {os.path.realpath(path): path for path in paths}


def missing(site: Site, checked: Checked) -> Iterator[Problem]:
    """Warnings about global scripts and lists that a script names and the site does not have. Personal scripts are known only
    when the script runs."""
    repository = Repository(site, "")
    for mention in checked.program.mentions if checked.program is not None else ():
        if mention.kind == "script" and mention.location == "global":
            if repository.find(Script(mention.name, mention.location)) is None:
                message = f'{mention.location} script "{mention.name}" does not exist'
                yield Problem("script-missing", message, mention.span, "", Severity.WARNING)
        elif mention.kind == "list" and list_key(mention.name) not in site.settings[LISTS]:
            hint = f'write list "{mention.name}" {{ file = "…" }} in the configuration'
            yield Problem(
                "list-missing", f'the site has no list "{mention.name}"', mention.span, hint, Severity.WARNING
            )
