"""From the bytes of photographs to what a network sees of them, and what is drawn on."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Photograph, decode
from service.pictures.images import Decode, Fitted, Resize
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


def read(files: Sequence[bytes], max_pixels: int, enough: int | None, watch: Stopwatch) -> list[Photograph]:
    """Decode the files one after the other. enough: see `service.pictures.decode.decode`."""
    with watch.stage("decode"):
        return [decode(data, max_pixels, enough) for data in files]


def enough_for(network: Network, max_side: int, how: Decode) -> int | None:
    """The short side that a decoded photograph needs, in pixels; None if it is to be decoded as it is.

    That is twice what the network sees, so that scaling down stays smooth, or ``max_side`` if a drawing could need
    more: the pixels do not depend on what is drawn.
    """
    return max(2 * network.model.manifest.resize, max_side) if how == "fast" else None


def fit_all(network: Network, photographs: Sequence[Photograph], resize: Resize, watch: Stopwatch) -> list[Fitted]:
    """Scale each photograph for the network."""
    manifest = network.model.manifest
    with watch.stage("resize"):
        border = manifest.resize / min(manifest.size)
        return [images.fit(photograph, manifest.size, border, resize) for photograph in photographs]


def read_and_fit(
    network: Network, files: Sequence[bytes], how: Intake, watch: Stopwatch
) -> list[tuple[Photograph, Fitted]]:
    """The photographs, no larger than drawing needs, and what the network sees of them.

    One after the other, so that a single one is in memory as a whole.
    """
    made = []
    for data in files:
        (photograph,) = read([data], how.max_pixels, enough_for(network, how.max_side, how.decode), watch)
        (fitted,) = fit_all(network, [photograph], how.resize, watch)
        with watch.stage("resize"):
            made.append(images.reduced(photograph, fitted, how.max_side))
    return made
