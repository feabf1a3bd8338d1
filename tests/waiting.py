"""Waiting for something that happens in another thread or process, and failing when it does not."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], holds: Callable[[T], object] = bool, seconds: float = 60.0) -> T:
    """What ``look`` returns once it ``holds``; fails with the last that was seen after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds(seen := look()):
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} seconds; last seen: {seen!r}"
        time.sleep(0.01)
    return seen
