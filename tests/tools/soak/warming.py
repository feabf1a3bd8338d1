"""One round of each kind of request, so that pools, arenas and caches have their size before memory is compared."""

import asyncio

from tests.tools.soak import wire
from tests.tools.soak.scene import Scene
from tests.tools.soak.target import ABUSERS, ASCENDING, FLAT, LARGE, SCANS, SMALL, STRIP, Target, ascending

JOBS = 16
PNG = {"Accept": "image/png"}


def warm_up(target: Target) -> list[tuple[str, str]]:
    """The jobs that were accepted."""
    scene = Scene(target)
    asyncio.run(_warm_up(scene))
    if wrong := [what for what in scene.answers if what.rsplit(" ", 1)[-1] not in ("200", "202", "400")]:
        raise RuntimeError(f"warming up was answered with {wrong}")
    return scene.accepted


async def _warm_up(scene: Scene) -> None:
    await _photographs(scene)
    await _jobs(scene)


async def _photographs(scene: Scene) -> None:
    requests = [("/saliency?resize=native", ascending(width)) for width in ASCENDING[::10]]
    requests += [("/saliency", SMALL)] * 20 + [("/saliency?output=panel", LARGE), ("/classify", SCANS)]
    requests += [("/saliency?method=rise&masks=16&resize=native", STRIP)] * 8
    requests += [("/evaluate?points=4&stages=12", STRIP)]
    requests += [("/activations?channels=256&tile=256&resize=native", STRIP)] * 2
    for at in range(0, len(requests), 4):
        sent = [
            scene.request("POST", query, body=scene.picture(name), kind="image/png", headers=PNG if at else {})
            for query, name in requests[at : at + 4]
        ]
        await asyncio.gather(*(scene.ask("photograph", each) for each in sent))
    body, kind = wire.form([scene.picture(FLAT)] * 16)
    await asyncio.gather(*(scene.ask("flat", scene.request("POST", "/classify", body=body, kind=kind)) for _ in "ab"))


async def _jobs(scene: Scene) -> None:
    (watched,) = await scene.submit("job", ABUSERS[6], class_id=1, size=64, iterations=200, preview_every=1)
    await scene.submit("jobs", class_id=list(range(JOBS)), size=64, iterations=100, preview_every=20)
    await scene.submit("job", class_id=1, iterations=20)
    await scene.ask("events", scene.request("GET", f"/visualize/{watched}/events", ABUSERS[6]))
    asked = scene.request("GET", f"/visualize/{watched}/animation?format=webp", ABUSERS[6])
    await asyncio.gather(*(scene.ask("animation", asked) for _ in range(4)))
    await scene.ask("list", scene.request("GET", "/visualize?limit=200"))
