"""Reading images between their elements: values at any coordinates, as weighted sums of gathered elements.

Written in operators that have rules, so that gradients flow to the image and to the coordinates. Images are
(N, C, D1, …, Dn); coordinates along an axis are (N, P), in elements, for P places per image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
import onnx_ir as ir

from service.autodiff.ops import Ops
from service.autodiff.shapes import dim, dtype

CUBIC = -0.75  # the coefficient a of Keys 1981, "Cubic convolution interpolation for digital image processing"


@dataclass(frozen=True)
class Tap:
    """An element that places read along one axis: its index, int64 (N, P), and its weight (N, P)."""

    index: ir.Value
    weight: ir.Value


Kernel = Callable[[Ops, ir.Value], list[Tap]]
Padding = Callable[[Ops, Tap, ir.Value], Tap]


def nearest(op: Ops, at: ir.Value) -> list[Tap]:
    """The element nearest to each coordinate."""
    near = op.Round(at)
    return [Tap(_index(op, near), op.CastLike(op.Equal(near, near), near))]


def linear(op: Ops, at: ir.Value) -> list[Tap]:
    """The elements on both sides, weighted by closeness."""
    below = op.Floor(at)
    t, index = op.Sub(at, below), _index(op, below)
    return [Tap(index, op.Sub(op.constant(1, like=t), t)), Tap(op.Add(index, 1), t)]


def cubic(op: Ops, at: ir.Value) -> list[Tap]:
    """Two elements on each side, weighted by the cubic convolution kernel."""
    below = op.Floor(at)
    t, index = op.Sub(at, below), _index(op, below)
    left = op.Sub(op.constant(1, like=t), t)
    weights = [_far(op, op.Add(t, 1)), _near(op, t), _near(op, left), _far(op, op.Add(left, 1))]
    return [Tap(op.Add(index, i - 1), weight) for i, weight in enumerate(weights)]


def _near(op: Ops, t: ir.Value) -> ir.Value:
    """(a + 2)·t³ − (a + 3)·t² + 1, for distances up to 1."""
    return op.Add(op.Mul(op.Mul(t, t), op.Sub(op.Mul(t, CUBIC + 2), CUBIC + 3)), 1)


def _far(op: Ops, t: ir.Value) -> ir.Value:
    """a·t³ − 5a·t² + 8a·t − 4a, for distances from 1 to 2."""
    return op.Mul(op.Sub(op.Mul(op.Add(op.Mul(op.Sub(t, 5), t), 8), t), 4), CUBIC)


def _index(op: Ops, whole: ir.Value) -> ir.Value:
    return op.Cast(whole, to=ir.DataType.INT64)


def zeros_outside(op: Ops, tap: Tap, size: ir.Value) -> Tap:
    """Beyond the image there are zeros."""
    inside = op.Equal(index := _clamped(op, tap.index, size), tap.index)
    return Tap(index, op.Mul(tap.weight, op.CastLike(inside, tap.weight)))


def border(op: Ops, tap: Tap, size: ir.Value) -> Tap:
    """Beyond the image its edge goes on."""
    return Tap(_clamped(op, tap.index, size), tap.weight)


def reflection(op: Ops, tap: Tap, size: ir.Value) -> Tap:
    """The image is mirrored at its edges, which belong to both sides."""
    period = op.Mul(size, 2)
    folded = op.Mod(tap.index, period)
    return Tap(op.Min(folded, op.Sub(op.Sub(period, 1), folded)), tap.weight)


def reflection_at_centers(op: Ops, tap: Tap, size: ir.Value) -> Tap:
    """The image is mirrored at the centres of its first and last elements."""
    period = op.Max(op.Mul(op.Sub(size, 1), 2), op.constant([1]))
    folded = op.Mod(tap.index, period)
    return Tap(op.Min(folded, op.Sub(period, folded)), tap.weight)


def _clamped(op: Ops, index: ir.Value, size: ir.Value) -> ir.Value:
    return op.Min(op.Max(index, op.constant([0])), op.Sub(size, 1))


def sizes(op: Ops, x: ir.Value, axes: int) -> list[ir.Value]:
    """The sizes of the spatial axes, each an int64 vector of one element."""
    return [dim(op, x, axis + 2) for axis in range(axes)]


def sampled(op: Ops, x: ir.Value, taps: Sequence[Sequence[Tap]], image: ir.Value | None = None) -> ir.Value:
    """(N, C, P): the images ``x`` where the taps of each spatial axis say, all combinations of them summed.

    image: which image each row of coordinates reads, int64 (N,); its own by default.
    """
    extents = sizes(op, x, len(taps))
    if image is None:
        count = op.Squeeze(dim(op, x, 0), op.constant([0]))
        image = op.Range(op.constant(np.int64(0)), count, op.constant(np.int64(1)))
    first = op.Unsqueeze(image, op.constant([1]))
    indices, weights = [], []
    for combination in product(*taps):
        flat = reduce(
            lambda row, tap: op.Add(op.Mul(row, tap[1]), tap[0].index),
            zip(combination, extents, strict=True),
            first,
        )
        indices.append(op.Unsqueeze(flat, op.constant([2])))
        weight = reduce(op.Mul, [tap.weight for tap in combination])
        weights.append(op.Unsqueeze(op.Cast(weight, to=dtype(x)), op.constant([2])))
    channels_last = op.Transpose(x, perm=[0, *range(2, 2 + len(taps)), 1])
    rows = op.Reshape(channels_last, op.Concat(op.constant([-1]), dim(op, x, 1), axis=0))
    gathered = op.Gather(rows, op.Concat(*indices, axis=2))  # (N, P, taps, C)
    total = op.MatMul(op.Unsqueeze(op.Concat(*weights, axis=2), op.constant([2])), gathered)
    return op.Transpose(op.Squeeze(total, op.constant([2])), perm=[0, 2, 1])
