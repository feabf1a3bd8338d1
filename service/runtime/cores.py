"""The cores of the processor that this process may use, and how the threads of a run are spread over them."""

import os
import random
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress

_PLACE = random.random()  # noqa: S311 - nothing is secret about it


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def are_bound(threads: int) -> bool:
    """Whether so many threads of a run get a core each.

    The system is left to choose where there are more cores than threads: other processes may have chosen the same ones.
    """
    return hasattr(os, "sched_getaffinity") and 1 < threads == cores()


def affinities(threads: int) -> str | None:
    """The cores of all threads of a run but its first, in the runtime's words; None if the system is to choose them."""
    if not are_bound(threads):
        return None
    allowed = os.sched_getaffinity(0)
    return ";".join(str(core + 1) for core in sorted(allowed - {first_of(allowed)}))  # it counts from 1


def first_of(allowed: Set[int]) -> int:
    """The core of the first thread, which has a little more to do than the others: not the same for all processes."""
    return sorted(allowed)[int(_PLACE * len(allowed))]


@contextmanager
def on_a_core_of_its_own(threads: int) -> Iterator[None]:
    """Keep this thread on the core that the others of its run leave to it (see `affinities`) within the ``with`` block.

    A system that wakes the others after a pause likes to put one of them on this thread's core, where the two take
    turns until the run is over: it takes twice as long.
    """
    if not are_bound(threads):
        yield
        return
    before = os.sched_getaffinity(0)
    with suppress(OSError):  # the core has been taken away
        os.sched_setaffinity(0, {first_of(before)})
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)
