"""What a claim costs, and what it does not depend on: how many jobs wait, and of how many owners.

Run: python -m tests.benchmarks.claims.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from service.jobs.ledger import Draft, Ledger
from service.jobs.queue import connect
from service.jobs.record import State
from service.jobs.valkey import EmbeddedValkey
from tests.benchmarks.measure import table

TIMES = 50


async def milliseconds(function: Callable[[], Awaitable[object]], times: int = TIMES) -> float:
    """The median duration of calls."""
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        await function()
        durations.append((time.perf_counter() - start) * 1e3)
    return median(durations)


async def submit(ledger: Ledger, owner: str, number: int) -> None:
    """Submit a batch of jobs."""
    await ledger.submit([Draft("class", 1, {"model": "m"}, 20) for _ in range(number)], batch=True, owner=owner)


async def measured(ledger: Ledger, jobs: int, owners: int) -> list[object]:
    """A row of the table."""
    await ledger.redis.flushall()
    for owner in range(owners):
        await submit(ledger, f"owner{owner}", jobs // owners)
    (last,) = await ledger.search(State.QUEUED, None, None, None, 1, owner=f"owner{owners - 1}")
    return [
        jobs,
        owners,
        await milliseconds(lambda: submit(ledger, "owner0", 1)),
        await milliseconds(lambda: ledger.claim("lease")),
        await milliseconds(lambda: ledger.position(last)),
        await milliseconds(ledger.settle, 3),
    ]


async def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        valkey = EmbeddedValkey(Path(folder))
        valkey.start()
        async with connect(valkey.url, decode=True) as redis:
            ledger = Ledger(redis, 20_000, 1000, 3)
            shapes = [(100, 1), (1000, 1), (10_000, 1), (100, 100), (1000, 100), (10_000, 100), (10_000, 1000)]
            rows = [await measured(ledger, jobs, owners) for jobs, owners in shapes]
        valkey.stop()
    table("The ledger, median ms", ["queued jobs", "owners", "submit", "claim", "position", "settle"], rows)


if __name__ == "__main__":
    asyncio.run(main())
