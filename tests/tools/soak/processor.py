"""How busy the machine is with what does not belong to the soak, which spoils what is measured."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> Iterator[int]:
    """The processes that it has started, and those that these have started."""
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from children(int(child))


def seconds_of(pid: int) -> float:
    """Processor time of a process so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def seconds_of_others() -> float:
    """Processor time of all that is neither this process nor started by it."""
    user, nice, system, _, _, *more = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    ours = sum(os.times()[:4]) + sum(map(seconds_of, children(os.getpid())))
    return (user + nice + system + sum(more[:2])) / TICKS - ours
