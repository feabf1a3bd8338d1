"""How Python and the C library keep memory: what was taken goes back to the system, and no search for it takes long."""

import ctypes
import gc
import time
from threading import Thread

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3  # mallopt(3)
ARENAS, LARGE_BYTES = 2, 2**20
TRIM_SECONDS = 5.0  # after which a process that has worked gives back what is free


def give_back_what_is_freed() -> None:
    """Have this process, for as long as it lives, return memory that it does not need any more; glibc only.

    By default glibc keeps ever larger pieces on its heaps, of which every thread may have one, and between small ones
    that stay they are not given back. Here each large array or picture is mapped by itself, there are few heaps, and
    their free pages are returned every few seconds, which takes 10 ms.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, ARENAS)
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
        Thread(target=_trim_for_ever, name="trim", daemon=True).start()


def pass_over_what_stays() -> None:
    """Leave out what there is now, the modules above all, whenever Python searches for garbage.

    To look through all of them stops every thread, the event loop too, for 60 ms and more.
    """
    gc.freeze()


def give_memory_back() -> None:
    """Free graphs, whose nodes refer to each other, and return what is free."""
    gc.collect()
    _trim()


def _trim_for_ever() -> None:
    """Trim after each few seconds in which there was work."""
    worked = time.process_time()
    while True:
        time.sleep(TRIM_SECONDS)
        if time.process_time() - worked > TRIM_SECONDS / 100:
            _trim()
            worked = time.process_time()


def _trim() -> None:
    """Return the free pages of all heaps, those between pieces in use as well."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # there is none in another C library than glibc
    if trim is not None:
        trim(0)
