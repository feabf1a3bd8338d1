"""A Valkey that hangs, and keys that are not known."""

import os
import signal
from threading import Event

from tests.tools.soak import wire
from tests.tools.soak.installation import Installation
from tests.tools.soak.scene import Scene, forever
from tests.tools.soak.target import ABUSERS

FROZEN, THAWED = 3.0, 5.0  # seconds


async def wrong_keys(scene: Scene) -> None:
    """Thousands of keys, none of them known."""

    async def act() -> None:
        await scene.ask("wrong key", wire.request("GET", "/methods", key=os.urandom(20).hex()))

    await forever(16, act)


async def counted(scene: Scene) -> None:
    """Requests that are counted in the Valkey, and jobs that are kept in it."""

    async def act() -> None:
        await scene.ask("list", scene.request("GET", "/visualize", ABUSERS[1]))
        await scene.submit("job", ABUSERS[1], class_id=1, size=64, iterations=10, preview_every=0)

    await forever(2, act)


def freeze(installation: Installation, stop: Event) -> str:
    """SIGSTOP for some seconds, again and again."""
    times = 0
    while not stop.wait(THAWED if times else 1):
        os.kill(installation.valkey_pid, signal.SIGSTOP)
        stop.wait(FROZEN)
        os.kill(installation.valkey_pid, signal.SIGCONT)
        times += 1
    return f"Valkey frozen {times} times"


ACTIONS = (wrong_keys, counted)
FAULTS = (freeze,)
