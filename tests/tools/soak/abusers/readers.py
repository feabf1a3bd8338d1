"""Clients that listen, some of which never read."""

import asyncio
from contextlib import ExitStack
from functools import partial

from tests.tools.soak import wire
from tests.tools.soak.scene import Scene, forever
from tests.tools.soak.target import ABUSERS, LARGE

LISTENERS, DEAF = 60, 40  # of each caller
PNG = {"Accept": "image/png"}


async def event_streams(scene: Scene) -> None:
    """Hundreds of listeners to jobs with many events; a part of them never reads."""
    await asyncio.gather(*(_listen_as(scene, caller) for caller in ABUSERS[1:6]))


async def _listen_as(scene: Scene, caller: str) -> None:
    (job,) = await _submitted(scene, caller, iterations=2000, preview_every=10)
    sent = scene.request("GET", f"/visualize/{job}/events", caller)
    deaf = [_hold(scene, "deaf event stream", sent) for _ in range(DEAF)]
    await asyncio.gather(*deaf, forever(LISTENERS, lambda: scene.ask("event stream", sent, 10)))


async def _submitted(scene: Scene, caller: str, **parameters: int) -> list[str]:
    for _ in range(60):
        if ids := await scene.submit("job", caller, class_id=1, size=64, **parameters):
            return ids
        await asyncio.sleep(0.5)
    raise TimeoutError


async def _hold(scene: Scene, what: str, sent: bytes) -> None:
    """Ask and never read."""
    with ExitStack() as stack:
        try:
            stack.enter_context(await wire.open_slowly(scene.target.address, sent))
        except OSError:
            scene.answers[f"{what} no connection"] += 1
            return
        scene.answers[f"{what} asked"] += 1
        await asyncio.Event().wait()


async def animations(scene: Scene) -> None:
    """Animations of 200 previews: of clients that never read, and of some that leave while it is made."""
    (job,) = await _submitted(scene, ABUSERS[6], iterations=200, preview_every=1)
    await scene.ask("job", scene.request("GET", f"/visualize/{job}?wait=15", ABUSERS[6]))
    ask = partial(scene.request, "GET", f"/visualize/{job}/animation?format=webp", ABUSERS[6])
    held = [_hold(scene, "deaf animation", ask()) for _ in range(10)]
    await asyncio.gather(*held, forever(4, lambda: scene.ask("animation", ask(), 1)))


async def large_pictures(scene: Scene) -> None:
    """Pictures of some megabytes that are not fetched."""
    body = scene.picture(LARGE)
    sent = scene.request("POST", "/saliency?output=panel", ABUSERS[7], body=body, kind="image/jpeg", headers=PNG)
    await asyncio.gather(*(_hold(scene, "deaf picture", sent) for _ in range(20)))


ACTIONS = (event_streams, animations, large_pictures)
