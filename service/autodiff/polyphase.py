"""Images cut in strides: what is cheap to make and to convolve in parts need not be put together."""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from service.autodiff.ops import Ops
from service.autodiff.shapes import fixed_dims

_KEY = "phases"


@dataclass(frozen=True)
class Phases:
    """An image (N, C, H, W): its element (s·i + r − begin) along each axis is element i of the phase r.

    All phases have the same size; what they hold beyond the image is zero.
    """

    strides: tuple[int, int]
    begin: tuple[int, int]
    parts: Mapping[tuple[int, int], ir.Value]


def phases_of(value: ir.Value) -> Phases | None:
    """The phases that `interleaved` made the value of."""
    found: Phases | None = value.meta.get(_KEY)
    return found


def interleaved(op: Ops, phases: Phases, like: ir.Value) -> ir.Value:
    """The image, of the shape of ``like``. Whoever can do with the phases finds them with `phases_of`; then these nodes are not needed.

    With channels last, so that whole vectors of channels are moved.
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
    """Element s·i + r along the axis of (N, H, W, C) is element i of part r."""
    if len(parts) == 1:
        return parts[0]
    stacked = op.Concat(*parts, axis=axis + 1)  # s elements of each, one behind the other, where the next axis begins
    shape = [op.Shape(parts[0], end=axis), op.constant([-1]), op.Shape(parts[0], start=axis + 1)]
    return op.Reshape(stacked, op.Concat(*shape, axis=0))
