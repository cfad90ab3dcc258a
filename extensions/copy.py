"""copy: file or redirect a copy; the implicit keep still applies (RFC 3894)."""

from __future__ import annotations

from dataclasses import replace

from sieveav.extending import Action, Extension, ForeignTag

copy = Extension("copy", "RFC 3894")


@copy.tag(":copy", on=["fileinto", "redirect"])
class Copy(ForeignTag):
    """:copy: the action does not cancel the implicit keep."""

    def amend(self, action: Action) -> Action:
        return replace(action, cancels_keep=False)  # RFC 3894, 3
