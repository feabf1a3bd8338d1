"""From the bytes of photographs to what a network sees of them, and what is drawn on."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import InvalidParameter
from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Photograph, Pixels, check_pixels, decode
from service.pictures.images import Decode, Fitted, Floats, Resize
from service.pictures.turns import Turn
from service.runtime.demand import current
from service.saliency.effort import greatest_size
from service.telemetry.timing import Stopwatch

Sent = bytes | Pixels | Fitted  # a file, pixels, or what the network sees already
ROUNDING = 1e-3  # by which what is in [0, 1] may be off


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
    network: Network, data: bytes | Pixels, how: Intake, watch: Stopwatch, turn: Turn
) -> tuple[Photograph, Fitted]:
    """A photograph, and what the network sees of it. turn: see `service.pictures.decode.decode`."""
    with watch.stage("decode"):
        if isinstance(data, bytes):
            photograph = decode(data, how.max_pixels, enough_for(network, how.max_side, how.decode), turn)
        else:
            check_pixels(data.shape[1], data.shape[0], how.max_pixels)
            photograph = Photograph.of(data)
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


def seen(network: Network, sent: Sequence[Sent], how: Intake, watch: Stopwatch) -> list[Fitted]:
    """What the network sees of pictures: files and pixels are scaled for it, one after the other."""
    return [one if isinstance(one, Fitted) else _seen(network, one, how, watch) for one in sent]


def greatest_sizes(network: Network, sent: Sequence[Sent], resize: Resize) -> list[tuple[int, int]]:
    """Height and width of what the network will see of each picture, at most."""
    most = greatest_size(network, resize)
    return [(one.pixels.shape[1], one.pixels.shape[2]) if isinstance(one, Fitted) else most for one in sent]


def _seen(network: Network, one: bytes | Pixels, how: Intake, watch: Stopwatch) -> Fitted:
    with Turn(current().check) as turn:
        return read_and_fit_one(network, one, how, watch, turn)[1]


def check_floats(network: Network, images: Floats) -> None:
    """Raise `InvalidParameter` for what is not (N, 3, H, W) in [0, 1] of a size that the network takes."""
    least, greatest = float(images.min()), float(images.max())
    if not (least >= -ROUNDING and greatest <= 1 + ROUNDING):  # also if one of them is no number
        raise InvalidParameter(
            f"the values are from {least:g} to {greatest:g}; send RGB from 0 to 1, which the service normalizes for "
            "the network by itself, or pixels from 0 to 255 with the colours last (UINT8)"
        )
    height, width = images.shape[2:]
    network.check_size(height, width)
    if min(height, width) < (short_side := min(network.size)):
        raise InvalidParameter(
            f"the picture is {width} x {height}; no side may be shorter than {short_side} for {network.model.name}"
        )
