"""How windows slide over images: the geometry that convolutions and pools share."""

from dataclasses import dataclass
from math import ceil

import onnx_ir as ir

from service.autodiff.errors import NotDifferentiable
from service.autodiff.shapes import operand


@dataclass(frozen=True)
class Window:
    """How a window slides over the spatial axes; one number per axis."""

    size: list[int]
    strides: list[int]
    dilations: list[int]
    begin: list[int]
    end: list[int]

    @property
    def extent(self) -> list[int]:
        """From the first to the last element of the window, dilation counted."""
        return [(k - 1) * d + 1 for k, d in zip(self.size, self.dilations, strict=True)]

    @property
    def is_dense(self) -> bool:
        """Whether strides and dilations are 1."""
        return all(n == 1 for n in [*self.strides, *self.dilations])


def window(node: ir.Node, size: list[int]) -> Window:
    """Read the attributes of a convolution or pooling node; ``auto_pad`` is resolved from the shapes."""
    axes = len(size)
    strides = list(node.attributes.get_ints("strides", [1] * axes))
    dilations = list(node.attributes.get_ints("dilations", [1] * axes))
    pads = list(node.attributes.get_ints("pads", [0] * 2 * axes))
    auto_pad = node.attributes.get_string("auto_pad", "NOTSET")
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        pads = _same_pads(node, size, strides, dilations, lower=auto_pad == "SAME_LOWER")
    elif auto_pad == "VALID":
        pads = [0] * 2 * axes
    return Window(size, strides, dilations, pads[:axes], pads[axes:])


def _same_pads(node: ir.Node, size: list[int], strides: list[int], dilations: list[int], lower: bool) -> list[int]:
    """The padding that makes the output ceil(input / stride)."""
    shape = operand(node, 0).shape
    smaller, larger = [], []
    for axis, (k, s, d) in enumerate(zip(size, strides, dilations, strict=True)):
        n = shape[axis + 2] if shape is not None else None
        if s == 1:
            total = (k - 1) * d
        elif isinstance(n, int):
            total = max(0, (ceil(n / s) - 1) * s + (k - 1) * d + 1 - n)
        else:
            raise NotDifferentiable(f"auto_pad with stride {s} needs fixed spatial sizes (node {node.name!r})")
        smaller.append(total // 2)
        larger.append(total - total // 2)
    return larger + smaller if lower else smaller + larger
