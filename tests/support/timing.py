"""timing: whether work grows in proportion to its input, measured in the CPU time of this thread."""

from __future__ import annotations

import time
from collections.abc import Callable


def assert_linear(work: Callable[[int], object], size: int) -> None:
    """Four times the `size` takes less than ten times as long (linear: 4, quadratic: 16), or less than 50 ms."""
    small, large = (min(_seconds(work, n) for _ in range(3)) for n in (size, 4 * size))
    assert large < max(10 * small, 0.05), f"{small:.3f} s for {size}, {large:.3f} s for {4 * size}"


def _seconds(work: Callable[[int], object], size: int) -> float:
    begun = time.thread_time()
    work(size)
    return time.thread_time() - begun
