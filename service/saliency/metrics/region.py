"""Where the object is, as somebody who knows it says: a box or a mask of the photograph."""

from collections.abc import Sequence

import numpy as np

from service.errors import InvalidParameter
from service.networks.network import Network
from service.pictures.decode import Photograph, decode
from service.pictures.images import Fitted
from service.pictures.turns import Turn
from service.runtime.demand import current
from service.saliency.intake import Intake, fit
from service.saliency.metrics.case import Array, Bools

Box = tuple[float, float, float, float]
NOTHING = "the {} holds nothing of what the network sees, which is {} of {} x {} pixels; {}"


def regions(
    given: Sequence[Box] | Sequence[bytes], network: Network, taken: Sequence[tuple[Photograph, Fitted]], how: Intake
) -> list[Bools | None]:
    """Where the object of each photograph is, as boxes or masks say; None for all if there are none.

    Raises what `region_of_box` and `region_of_mask` raise.
    """
    return [
        _region(one, network, photograph, fitted, how)
        for one, (photograph, fitted) in zip(given or [None] * len(taken), taken, strict=True)
    ]


def region_of_box(box: Box, photograph: Photograph, fitted: Fitted) -> Bools:
    """Which pixels of what the network sees are inside, (H, W): those whose centres are.

    box: left, upper, right and lower edge in pixels of the upright photograph as it was sent. Raises `InvalidParameter`
    for one that is not inside of the photograph, or that the network does not see.
    """
    left, upper, right, lower = box
    width, height = photograph.size
    if not (0 <= left < right <= width and 0 <= upper < lower <= height):
        raise InvalidParameter(
            f"the box must be left,upper,right,lower within the photograph, which has {width} x {height} pixels; "
            f"it is {','.join(f'{edge:g}' for edge in box)}"
        )
    x, y = _centres(fitted)
    inside: Bools = ((upper <= y) & (y < lower))[:, None] & ((left <= x) & (x < right))
    return _checked(inside, photograph, fitted, "box", "choose a larger one, or resize=squash")


def region_of_mask(data: bytes, network: Network, photograph: Photograph, fitted: Fitted, how: Intake) -> Bools:
    """Which pixels of what the network sees are white in a mask of the photograph, (H, W).

    Raises `InvalidParameter` for a mask that has not the size of the photograph or holds nothing that the network
    sees, and what `decode` raises.
    """
    with Turn(current().check) as turn:
        mask = decode(data, how.max_pixels, None, turn)
        if mask.size != photograph.size:
            raise InvalidParameter(
                f"the mask has {mask.size[0]} x {mask.size[1]} pixels, the photograph {photograph.size[0]} x "
                f"{photograph.size[1]}; send a mask of the same size"
            )
        inside: Bools = fit(network, mask, how.resize).pixels.mean(axis=0) >= 0.5
    return _checked(inside, photograph, fitted, "mask", "make it white (255) where the object is and black elsewhere")


def _region(
    given: Box | bytes | None, network: Network, photograph: Photograph, fitted: Fitted, how: Intake
) -> Bools | None:
    if given is None:
        return None
    if isinstance(given, bytes):
        return region_of_mask(given, network, photograph, fitted, how)
    return region_of_box(given, photograph, fitted)


def _centres(fitted: Fitted) -> tuple[Array, Array]:
    """Where the columns and the rows of what the network sees are in the photograph as it was sent."""
    left, upper, right, lower = fitted.sent_box
    _, height, width = fitted.pixels.shape
    x = left + (np.arange(width) + 0.5) * (right - left) / width
    return x, upper + (np.arange(height) + 0.5) * (lower - upper) / height


def _checked(inside: Bools, photograph: Photograph, fitted: Fitted, kind: str, advice: str) -> Bools:
    if not inside.any():
        raise InvalidParameter(NOTHING.format(kind, fitted.sent_box, *photograph.size, advice))
    return inside
