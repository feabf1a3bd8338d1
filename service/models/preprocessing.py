"""Preprocessing as part of a graph: from RGB in [0, 1] to what a network was trained on."""

from math import prod

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from service.autodiff import Ops
from service.models.manifest import LUMA, PREPROCESSED, Layout, Preprocessing

# How much of red, green and blue each channel of a network holds. Photographs are opaque: alpha is 1 everywhere.
_WEIGHTS = {"R": (1.0, 0.0, 0.0), "G": (0.0, 1.0, 0.0), "B": (0.0, 0.0, 1.0), "L": LUMA, "A": (0, 0, 0)}
_OFFSETS = {"A": 1.0}

Array = npt.NDArray[np.floating]


def preprocess(op: Ops, image: ir.Value, preprocessing: Preprocessing) -> ir.Value:
    """What the network was trained on (N, C, H, W), from RGB in [0, 1] (N, 3, H, W), as one 1x1 convolution."""
    std = np.array(preprocessing.std)
    kernel = np.array([_WEIGHTS[c] for c in preprocessing.channels]) * (preprocessing.scale / std)[:, None]
    opaque = np.array([_OFFSETS.get(c, 0.0) for c in preprocessing.channels]) * preprocessing.scale
    bias = (opaque - np.array(preprocessing.mean)) / std
    return op.Conv(
        image,
        op.constant(kernel[:, :, None, None], image),
        op.constant(bias, image),
        _name=op.free_name(PREPROCESSED),
    )


def pixel_bounds(preprocessing: Preprocessing) -> tuple[Array, Array]:
    """The least and the greatest value of each channel of what `preprocess` makes, (C,) each."""
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)
    ends = np.stack([-mean / std, (preprocessing.scale - mean) / std])
    return ends.min(axis=0), ends.max(axis=0)


def arrange(op: Ops, x: ir.Value, layout: Layout) -> ir.Value:
    """Bring (N, C, H, W) into the layout that the network takes."""
    if "HWC" in layout:
        x = op.Transpose(x, perm=[0, 2, 3, 1])
    if layout == "NHW":
        x = op.Squeeze(x, op.constant([1]))
    return op.Flatten(x, axis=1) if "(" in layout else x


def picture_axes(
    dims: list[int | None], layout: Layout, size: tuple[int, int], channels: int
) -> list[int | None] | None:
    """Height and width that a graph input with these sizes (None for open ones) admits; None if it is no such picture.

    Args:
        dims: The sizes of the input.
        layout: What they mean.
        size: Height and width in the manifest, which a flat input does not tell apart.
        channels: The number of channels.
    """
    if "(" in layout:
        return [*size] if len(dims) == 2 and dims[1] in (None, prod(size) * channels) else None
    if len(dims) != len(layout):
        return None
    named = dict(zip(layout, dims, strict=True))
    return [named["H"], named["W"]] if named.get("C", channels) in (None, channels) else None
