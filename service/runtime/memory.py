"""How the C library keeps memory: what large arrays and pictures took goes back to the system."""

import ctypes

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
