"""How Python and the C library keep memory: what was taken goes back to the system, and no search for it takes long."""

import ctypes
import gc
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3  # mallopt(3)
ARENAS, LARGE_BYTES = 2, 2**20
TRIM_SECONDS = 5.0  # after which a process that has worked gives back what is free
LET_GO_EVERY = 12  # times at the latest
_MADV_DONTNEED = 4  # madvise(2)


def give_back_what_is_freed(let_go: Callable[[], None] = lambda: None) -> None:
    """Have this process, for as long as it lives, return memory that it does not need any more; glibc only.

    By default glibc keeps ever larger pieces on its heaps, of which every thread may have one, and between small ones
    that stay they are not given back. Here each large array or picture is mapped by itself, there are few heaps, and
    their free pages are returned every few seconds, which takes 10 ms. let_go: called every minute, and when
    there is no work any more, to let go of what can be had again.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, ARENAS)
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
        Thread(target=_trim_for_ever, args=[let_go], name="trim", daemon=True).start()


def pass_over_what_stays() -> None:
    """Leave out what there is now, the modules above all, whenever Python searches for garbage.

    To look through all of them stops every thread, the event loop too, for 60 ms and more.
    """
    gc.freeze()


def give_memory_back() -> None:
    """Free graphs, whose nodes refer to each other, and return what is free."""
    gc.collect()
    _trim()


def let_go_of_mapped(name: str) -> None:
    """Take the pages of files of that name, which this process has mapped, out of its memory; Linux only.

    They stay in the system's cache, where all processes share them, and come back from there when they are touched.
    Mappings that were written to are left alone.
    """
    madvise = getattr(ctypes.CDLL(None), "madvise", None)
    if madvise is None:
        return
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    mapping = rb"^([0-9a-f]+)-([0-9a-f]+) [^\n]*/%b( \(deleted\))?\n" % re.escape(name.encode())
    clean = re.compile(mapping + rb"(?:\w+: [^\n]*\n)*?Anonymous: +0 kB", re.MULTILINE)
    with suppress(OSError):
        for found in clean.finditer(Path("/proc/self/smaps").read_bytes()):
            start, end = (int(edge, 16) for edge in found.groups()[:2])
            madvise(start, end - start, _MADV_DONTNEED)


def _trim_for_ever(let_go: Callable[[], None]) -> None:
    """Trim after each few seconds in which there was work, and let go of more once there is none."""
    worked, times = time.process_time(), 0
    while True:
        time.sleep(TRIM_SECONDS)
        has_worked = time.process_time() - worked > TRIM_SECONDS / 100
        times += has_worked
        if times == LET_GO_EVERY or (times and not has_worked):
            let_go()
            times, has_worked = 0, True
        if has_worked:
            _trim()
        worked = time.process_time()


def _trim() -> None:
    """Return the free pages of all heaps, those between pieces in use as well."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # there is none in another C library than glibc
    if trim is not None:
        trim(0)
