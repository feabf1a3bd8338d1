"""How Python and the C library keep memory: what was taken goes back to the system, and no search for it takes long."""

import ctypes
import gc
from contextlib import suppress

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3  # mallopt(3)
ARENAS, LARGE_BYTES = 2, 2**20


def give_back_what_is_freed() -> None:
    """Have the pieces of each large array or picture mapped by themselves, and few heaps; glibc only.

    By default glibc keeps ever larger pieces on its heaps, of which every thread may have one, and between small ones
    that stay they are not given back.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, ARENAS)
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)


def pass_over_what_stays() -> None:
    """Leave out what there is now, the modules above all, whenever Python searches for garbage.

    To look through all of them stops every thread, the event loop too, for 60 ms and more.
    """
    gc.freeze()


def give_memory_back() -> None:
    """Free graphs, whose nodes refer to each other, and have the allocator return what is free."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
