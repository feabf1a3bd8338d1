"""Clocks of running processes that can be moved, by libfaketime."""

import os
import subprocess
import sys
from pathlib import Path

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")
TRIAL = """
import sys, threading, time
wall, steady, lock = time.time(), time.monotonic(), threading.Lock()
open(sys.argv[1], "w").write("+3600")
assert 3600 <= time.time() - wall < 3610, "the clock did not jump"
lock.acquire()
lock.acquire(timeout=0.2)
assert 0.2 <= time.monotonic() - steady < 2, "the monotonic clock jumped too"
"""


def find_library() -> Path | None:
    """Where libfaketime is, None if it is not installed."""
    return next((path for pattern in LIBRARIES for path in Path("/").glob(pattern[1:])), None)


class Clock:
    """The clocks of several processes, each moved by its name. The monotonic ones go on as they are."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._library = library
        self._folder = folder

    def environment(self, name: str) -> dict[str, str]:
        """Of a process whose clock can be moved."""
        self.move(name, 0)
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file(name)),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def move(self, name: str, seconds: int) -> None:
        """Set the clock so far from the true time."""
        new = self._folder / "new"
        new.write_text(f"{seconds:+d}")
        new.replace(self._file(name))

    def works(self) -> bool:
        """Whether a clock jumps, and only that of the day."""
        environment = os.environ | self.environment("trial")
        command = [sys.executable, "-c", TRIAL, str(self._file("trial"))]
        return subprocess.run(command, env=environment, timeout=60, check=False).returncode == 0

    def _file(self, name: str) -> Path:
        return self._folder / f"clock-{name}"
