"""What takes memory."""

from itertools import cycle

from tests.tools.soak import wire
from tests.tools.soak.scene import Scene, forever
from tests.tools.soak.target import ASCENDING, FLAT, ascending


async def ascending_sizes(scene: Scene) -> None:
    """Pictures of 150 sizes, each a little wider than the one before."""
    query = "/saliency?resize=native"
    pictures = [scene.picture(ascending(width)) for width in ASCENDING]
    sent = cycle([scene.request("POST", query, body=each, kind="image/png") for each in pictures])
    await forever(2, lambda: scene.ask("ever other sizes", next(sent)))


async def flat_pictures(scene: Scene) -> None:
    """Sixteen pictures of 49 megapixels that are small as files."""
    body, kind = wire.form([scene.picture(FLAT)] * 16)
    sent = scene.request("POST", "/classify", body=body, kind=kind)
    await forever(2, lambda: scene.ask("16 flat pictures", sent))


ACTIONS = (ascending_sizes, flat_pictures)
