"""A key that takes all there is."""

from tests.tools.soak.scene import Scene, forever
from tests.tools.soak.target import ABUSERS

BATCH = list(range(200))


async def fill_queue(scene: Scene) -> None:
    """Jobs by the hundred."""
    await forever(4, lambda: scene.submit("200 jobs", class_id=BATCH, size=64, iterations=200, preview_every=0))


async def list_queue(scene: Scene) -> None:
    """All that is queued, again and again, by its owner and by another."""

    async def act() -> None:
        for caller in ABUSERS[:2]:
            await scene.ask("list", scene.request("GET", "/visualize?state=queued&limit=200", caller))

    await forever(4, act)


ACTIONS = (fill_queue, list_queue)
