"""copy: act on the message and keep it all the same (RFC 3894)."""

from __future__ import annotations

from dataclasses import replace

from sieveav.extending import Action, Extension, ForeignTag

copy = Extension("copy", "RFC 3894")


@copy.tag(":copy", on=["fileinto", "redirect"])
class Copy(ForeignTag):
    """:copy: the implicit keep stays."""

    def amend(self, action: Action) -> Action:
        return replace(action, cancels_keep=False)  # RFC 3894, 3
