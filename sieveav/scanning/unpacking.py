"""unpacking: a content into its layers: itself, its decoded parts, the contents of archives; and what cannot be opened.

Pure and total: any octets give layers and obstacles, and nothing is raised. What is opened, and how, is said by the files in
`formats/`; all of it is bounded (`layers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from sieveav.scanning.contract import Content
from sieveav.scanning.format import ANY, openers
from sieveav.scanning.formats.message import parts
from sieveav.scanning.layers import DEPTH, Budget, Item, Layer, Obstacle, safely
from sieveav.verdict import Status


def layers(content: Content, budget: Budget) -> Iterator[Item]:
    """Everything to scan in `content`: first itself, then its decoded parts, all unpacked.

    If mail clients disagree about what the parts are (CVE-2024-28054), that is an obstacle too.
    """
    if content.is_message:
        whole = Layer("message", content.raw, opened=ANY)  # what may be in it, is in its parts
        return unpack(chain((whole,), parts("message", content.structure)), budget)
    return unpack((Layer("content", content.raw),), budget)


def unpack(items: Iterable[Item], budget: Budget) -> Iterator[Item]:
    """All `items` and, after each layer and depth first, everything in it."""
    opened = [iter(items)]
    while opened:
        item = next(opened[-1], None)
        if isinstance(item, Layer) and budget.over is None:
            budget.member()
        if item is not None:
            yield item
        if budget.over:
            yield budget.over
            return
        if item is None:
            opened.pop()
        elif isinstance(item, Layer) and (inside := _inside(item, budget)):
            if len(opened) > DEPTH:
                yield Obstacle(Status.LIMITS, f"more than {DEPTH} archives within archives")
            else:
                opened.append(inside)


def _inside(layer: Layer, budget: Budget) -> Iterator[Item] | None:
    """The contents of `layer`, None if it is not an archive."""
    found = openers(layer)
    return chain.from_iterable(safely(open_(layer, budget), layer.name) for open_ in found) if found else None
