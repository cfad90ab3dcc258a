"""unpacked: octets to the layers within them and to what could not be opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from sieveav.scanning.contract import Deadline
from sieveav.scanning.layers import Budget, Layer, Obstacle
from sieveav.scanning.unpacking import unpack
from sieveav.verdict import Status


class Unpacked(NamedTuple):
    """What `unpack` gives, without the layer itself."""

    layers: dict[str, bytes]
    """By their names, from which that of the layer itself, and a slash, are left out."""
    obstacles: list[Obstacle]

    @property
    def statuses(self) -> set[Status]:
        """Those of the obstacles."""
        return {obstacle.status for obstacle in self.obstacles}


def unpacked(data: bytes, name: str = "x", budget: Budget | None = None) -> Unpacked:
    """Unpack `data`, which has this `name`."""
    layers: dict[str, bytes] = {}
    obstacles: list[Obstacle] = []
    first = Layer(name, data)
    for item in unpack((first,), budget or Budget(Deadline.after(60))):
        if isinstance(item, Obstacle):
            obstacles.append(item)
        elif item is not first:
            layers[item.name.removeprefix(f"{name}/")] = item.data
    return Unpacked(layers, obstacles)


def damaged(samples: Sequence[bytes], within: int, most: int) -> st.SearchStrategy[bytes]:
    """One of the `samples` with at most `most` octets changed, at offsets up to `within`, modulo its length."""
    damage = st.lists(st.tuples(st.integers(0, within), st.integers(0, 255)), min_size=1, max_size=most)
    return st.builds(_damage, st.sampled_from(samples), damage)


def _damage(sample: bytes, damage: list[tuple[int, int]]) -> bytes:
    octets = bytearray(sample)
    for at, value in damage:
        octets[at % len(octets)] = value
    return bytes(octets)
