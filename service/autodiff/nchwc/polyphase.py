"""Images in polyphase form: cut in strides into parts, which are cheap to compute and convolve uninterleaved."""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from service.autodiff.ops import Ops
from service.autodiff.shapes import fixed_dims

_KEY = "polyphase"


@dataclass(frozen=True)
class Polyphase:
    """An image (N, C, H, W) in parts (N, C, h, w) that all have the same size.

    Element i of the part r along an axis is element (s·i + r − begin) of the image; where the image has no such
    element, the part is zero.

    Args:
        strides: s, for rows and columns.
        begin: How many elements lie before the image, for rows and columns.
        parts: The parts by r, for rows and columns.
    """

    strides: tuple[int, int]
    begin: tuple[int, int]
    parts: Mapping[tuple[int, int], ir.Value]


def polyphase_of(value: ir.Value) -> Polyphase | None:
    """The parts from which `interleaved` made the value, or None for any other value."""
    found: Polyphase | None = value.meta.get(_KEY)
    return found


def interleaved(op: Ops, phases: Polyphase, like: ir.Value) -> ir.Value:
    """The image, of the shape of ``like``.

    A rule that can use the parts themselves finds them with `polyphase_of`; the nodes made here are then pruned.
    They interleave with the channels last, so that whole vectors of channels are moved.
    """
    columns = [
        _joined(op, [op.Transpose(phases.parts[r, c], perm=[0, 2, 3, 1]) for c in range(phases.strides[1])], 2)
        for r in range(phases.strides[0])
    ]
    whole = _joined(op, columns, 1)
    begin, dims = op.constant(phases.begin), fixed_dims(like)
    size = op.constant(dims[2:]) if dims is not None else op.Shape(like, start=2)
    image = op.Transpose(op.Slice(whole, begin, op.Add(begin, size), op.constant([1, 2])), perm=[0, 3, 1, 2])
    image.meta[_KEY] = phases
    return image


def _joined(op: Ops, parts: list[ir.Value], axis: int) -> ir.Value:
    """Interleave parts (N, h, w, C): element s·i + r along the axis is element i of part r, for s parts."""
    if len(parts) == 1:
        return parts[0]
    stacked = op.Concat(*parts, axis=axis + 1)  # for each i the s elements that follow one another, in one longer axis
    shape = [op.Shape(parts[0], end=axis), op.constant([-1]), op.Shape(parts[0], start=axis + 1)]
    return op.Reshape(stacked, op.Concat(*shape, axis=0))
