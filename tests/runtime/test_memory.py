"""Memory goes back to the system, in a process of its own."""

import subprocess
import sys
import textwrap

import pytest

HOLES = """
    from pathlib import Path
    from service.runtime import memory
    from tests.waiting import eventually

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 2**20

    memory.TRIM_SECONDS = 0.05
    memory.give_back_what_is_freed()
    pieces = [bytes(60_000) for _ in range(4000)]  # 230 MiB on the heap, and between them
    small = [bytes(2000) for _ in range(4000)]
    pieces = pieces[::50]  # some that stay
    eventually(resident, lambda now: now < 120, seconds=20)  # without it there are more than 200
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_what_is_free_between_pieces_in_use_goes_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(HOLES)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
