"""Dear requests whose clients leave."""

from tests.tools.soak.scene import Scene, forever
from tests.tools.soak.target import SCANS, STRIP

LEAVE = 1.0  # seconds
PNG = {"Accept": "image/png"}


async def rise(scene: Scene) -> None:
    """The most masks that a request may ask for."""
    query = "/saliency?method=rise&masks=240&resize=native"
    sent = scene.request("POST", query, body=scene.picture(STRIP), kind="image/png", headers=PNG)
    await forever(20, lambda: scene.ask("rise", sent, LEAVE))


async def evaluations(scene: Scene) -> None:
    """Curves of all points, and twelve stages of random weights."""
    query = "/evaluate?points=224&stages=12"
    sent = scene.request("POST", query, body=scene.picture(STRIP), kind="image/png")
    await forever(4, lambda: scene.ask("evaluate", sent, LEAVE))


async def all_activations(scene: Scene) -> None:
    """All layers with all their maps, as large as they may be."""
    query = "/activations?channels=256&tile=256&resize=native"
    sent = scene.request("POST", query, body=scene.picture(STRIP), kind="image/png")
    await forever(4, lambda: scene.ask("activations", sent, LEAVE))


async def scans(scene: Scene) -> None:
    """A JPEG that is decoded 240 times."""
    sent = scene.request("POST", "/classify", body=scene.picture(SCANS), kind="image/jpeg")
    await forever(2, lambda: scene.ask("many scans", sent))


ACTIONS = (rise, evaluations, all_activations, scans)
