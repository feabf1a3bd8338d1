"""From the bytes of photographs to what a network sees of them, and what is drawn on."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Photograph, decode
from service.pictures.images import Decode, Fitted, Resize
from service.pictures.turns import Turn
from service.runtime.demand import current
from service.telemetry.timing import Stopwatch


@dataclass(frozen=True)
class Intake:
    """How photographs are taken in.

    Attributes:
        resize: How they are scaled for the network.
        decode: Whether large JPEGs are decoded at a reduced scale.
        max_pixels: The largest picture, in pixels.
        max_side: The longest side of what is drawn, in pixels.
    """

    resize: Resize
    decode: Decode
    max_pixels: int
    max_side: int


def enough_for(network: Network, max_side: int, how: Decode) -> int | None:
    """The short side that a decoded photograph needs, in pixels; None if it is to be decoded as it is.

    That is twice what the network sees, so that scaling down stays smooth, or ``max_side`` if a drawing could need
    more: the pixels do not depend on what is drawn.
    """
    return max(2 * network.model.manifest.resize, max_side) if how == "fast" else None


def fit(network: Network, photograph: Photograph, resize: Resize) -> Fitted:
    """What the network sees of a photograph."""
    manifest = network.model.manifest
    return images.fit(photograph, manifest.size, manifest.resize / min(manifest.size), resize)


def read_and_fit_one(
    network: Network, data: bytes, how: Intake, watch: Stopwatch, turn: Turn
) -> tuple[Photograph, Fitted]:
    """A photograph, and what the network sees of it. turn: see `service.pictures.decode.decode`."""
    with watch.stage("decode"):
        photograph = decode(data, how.max_pixels, enough_for(network, how.max_side, how.decode), turn)
    with watch.stage("resize"):
        return photograph, fit(network, photograph, how.resize)


def read_and_fit(
    network: Network, files: Sequence[bytes], how: Intake, watch: Stopwatch
) -> list[tuple[Photograph, Fitted]]:
    """The photographs, no larger than drawing needs, and what the network sees of them.

    One after the other, so that a single one is in memory as a whole.
    """
    made = []
    for data in files:
        with Turn(current().check) as turn:
            photograph, fitted = read_and_fit_one(network, data, how, watch, turn)
            with watch.stage("resize"):
                made.append(images.reduced(photograph, fitted, how.max_side))
            del photograph, fitted
    return made
