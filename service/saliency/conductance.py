"""Which channels of a layer carry the score of a class for a photograph, and where."""

from dataclasses import dataclass

import numpy as np

from service.attribution import Floats
from service.attribution.baselines import Fill, baseline
from service.attribution.conductance import Conductance, conductance
from service.attribution.method import Stepwise
from service.networks.network import Network
from service.networks.questions import PREDICTED
from service.pictures import images, tints
from service.pictures.decode import Photograph, Pixels
from service.pictures.images import Fitted
from service.runtime.demand import current
from service.saliency.view import View

GAP = 4  # pixels between two maps
FOR, AGAINST = tints.COLOURS[0], tints.COLOURS[4]


@dataclass(frozen=True)
class Carried:
    """The conductance of a layer.

    Attributes:
        layer: The name of the layer.
        found: The conductance of its neurons.
        ranked: Its channels, those that carry most first, in whichever direction.
    """

    layer: str
    found: Conductance
    ranked: list[int]


def carried(
    network: Network,
    image: Floats,
    layer: str,
    class_id: int | None,
    other_class_id: int | None,
    fill: Fill,
    steps: int,
) -> Carried:
    """The conductance of a layer at an image (3, H, W) for a class, by default the predicted one."""
    wanted = PREDICTED if class_id is None else class_id
    view, start = View(network, other_class_id), baseline(image, fill)
    found = Stepwise(conductance(view, image, wanted, layer, start, steps)).finish()
    return Carried(layer, found, np.argsort(-np.abs(found.channels), kind="stable").tolist())


def draw(one: Carried, photograph: Photograph, fitted: Fitted, most: int, tile: int) -> Pixels:
    """The photograph with the map of each of the first channels, row by row, with its number and its conductance.

    Each map has its own scale: orange speaks for the class, blue against it. tile: the longest side of a map.
    """
    seen = tints.at_least(images.cut(photograph, fitted.box, tile), tile)
    return images.tiled([_tile(one.found, channel, seen) for channel in one.ranked[:most]], GAP)


def _tile(found: Conductance, channel: int, seen: Pixels) -> Pixels:
    current().check()
    values = found.values[channel]
    sides = np.stack([values.clip(min=0), (-values).clip(min=0)])
    heat = (sides / max(float(sides.max()), float(np.finfo(np.float32).tiny))).astype(np.float32)
    return tints.captioned(tints.tinted(seen, heat, (FOR, AGAINST), 0.9), str(channel), f"{values.sum():+.2f}")
