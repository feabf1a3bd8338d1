"""The activations of layers for a photograph, as numbers and as grids of feature maps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.attribution import Floats
from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Pixels
from service.pictures.images import Colormap

GAP = 1  # pixels between two maps


@dataclass(frozen=True)
class Activation:
    """The activations of one layer.

    Attributes:
        layer: The name of the layer.
        values: The feature maps, float32 (channels, h, w).
        strongest: The channels ordered by their mean activation, the highest first.
    """

    layer: str
    values: Floats
    strongest: list[int]


def activations(network: Network, image: Floats, layers: Sequence[str]) -> list[Activation]:
    """The activations of the named layers at an image (3, H, W) in [0, 1].

    Raises `InvalidParameter` for a layer that does not exist.
    """
    found = network.activations(image[None], layers)
    order = [np.argsort(-values[0].mean(axis=(1, 2)), kind="stable").tolist() for values in found]
    return [
        Activation(name, values[0], strongest) for name, values, strongest in zip(layers, found, order, strict=True)
    ]


def grid(activation: Activation, most: int, tile: int, colormap: Colormap) -> Pixels:
    """A grid of the strongest feature maps, row by row.

    Args:
        activation: The layer.
        most: The largest number of maps to show.
        tile: The side of the square that shows one map, in pixels.
        colormap: How values become colours. All maps share one scale, from 0 to the largest value.
    """
    shown = activation.strongest[:most]
    top = max(float(activation.values[shown].max()), 1e-12)
    heats = [(activation.values[channel] / top).clip(0, 1) for channel in shown]
    return images.tiled([images.enlarge(images.heatmap(heat, colormap), tile, tile) for heat in heats], GAP)
