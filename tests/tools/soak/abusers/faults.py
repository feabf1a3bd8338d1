"""Workers that are killed, and clocks that jump."""

import asyncio
from itertools import cycle
from threading import Event

from tests.tools.soak.installation import Installation
from tests.tools.soak.scene import Scene
from tests.tools.soak.target import ABUSERS

EVERY = 4.0  # seconds
HOUR = 3600


async def steady_jobs(scene: Scene) -> None:
    """A job now and then, to be done whatever happens."""
    while True:
        await scene.submit("job", ABUSERS[2], class_id=1, size=64, iterations=100, preview_every=20)
        await asyncio.sleep(0.5)


def kill_workers(installation: Installation, stop: Event) -> str:
    """SIGKILL to one worker after the other; each is started again."""
    times = 0
    while not stop.wait(EVERY):
        installation.kill_worker(times % 2)
        times += 1
    return f"{times} workers killed"


def move_clocks(installation: Installation, stop: Event) -> str:
    """An hour forward and back: the API, the worker, both."""
    times, states = 0, cycle([(HOUR, 0), (0, 0), (0, HOUR), (0, 0), (-HOUR, 0), (0, -HOUR), (HOUR, HOUR), (0, 0)])
    while not stop.wait(EVERY / 2):
        installation.move_clocks(*next(states))
        times += 1
    installation.move_clocks(0, 0)
    return f"clocks moved {times} times"


ACTIONS = (steady_jobs,)
KILLS = (kill_workers,)
JUMPS = (move_clocks,)
