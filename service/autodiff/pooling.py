"""The max pool's backward, in the two forms that are worth having."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import onnx_ir as ir

from service.autodiff.elementwise import STEEPEST
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import dim, dtype, known_dim, operand, rank, shape_of, zeros_like
from service.autodiff.windows import Window, window


def max_pool_by_indices(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Scatter dy to where the largest element of each window was, the first in row order where several are (as PyTorch has it).

    Few nodes, and the form for a GPU. On a CPU the search for the indices costs more than half of what all convolutions do.
    """
    x = operand(node, 0)
    attributes = {name: a for name, a in node.attributes.items() if name != "storage_order"}
    _, indices = op.several("MaxPool", 2, x, **attributes)
    indices.dtype = ir.DataType.INT64
    flat = op.constant([-1])
    zeros = op.Reshape(zeros_like(op, x), flat)
    dx = op.ScatterElements(zeros, op.Reshape(indices, flat), op.Reshape(dy, flat), axis=0, reduction="add")
    return [op.Reshape(dx, shape_of(op, x))]


@vjp("MaxPool")
def max_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The same, by comparisons, for pools over two axes; the form for a CPU.

    A pool over rows and columns is one over columns and then one over rows, and the first of equals in row order is the first row that has
    the maximum and the first column in it. So each axis is undone by itself, with channels last: then rows and columns are moved in whole
    vectors of channels.
    """
    x, y = operand(node, 0), node.outputs[0]
    win = window(node, list(node.attributes["kernel_shape"].as_ints()))
    if rank(x) != 4 or set(win.dilations) != {1} or dtype(x) == ir.DataType.FLOAT16:
        return max_pool_by_indices(op, node, dy)
    ceil_mode = node.attributes.get_int("ceil_mode", 0)
    narrow = {"kernel_shape": [1, win.size[1]], "strides": [1, win.strides[1]], "pads": [0, win.begin[1], 0, win.end[1]]}
    columns = op.MaxPool(x, **narrow, ceil_mode=ceil_mode)
    x_last, columns_last, y_last, dy_last = (op.Transpose(v, perm=[0, 2, 3, 1]) for v in (x, columns, y, dy))
    rows_axis, columns_axis = (_Axis.of(win, i, x, y, bool(ceil_mode)) for i in (0, 1))
    d_columns = _undo(op, rows_axis, columns_last, y_last, dy_last, [0, -1, dim(op, y, 3), dim(op, x, 1)])
    dx = _undo(op, columns_axis, x_last, columns_last, d_columns, [0, dim(op, x, 2), -1, dim(op, x, 1)])
    return [op.Transpose(dx, perm=[0, 3, 1, 2])]


@dataclass(frozen=True)
class _Axis:
    """One axis of a pool. before, after: values whose axis ``at + 1`` has the size before and after it, in (N, C, H, W)."""

    at: int  # in (N, H, W, C)
    size: int
    stride: int
    begin: int
    reaches_over: bool  # whether a window may lie partly beyond the elements
    before: ir.Value
    after: ir.Value

    @classmethod
    def of(cls, win: Window, i: int, x: ir.Value, y: ir.Value, ceil_mode: bool) -> "_Axis":
        reaches_over = ceil_mode or bool(win.begin[i] or win.end[i])
        return cls(i + 1, win.size[i], win.strides[i], win.begin[i], reaches_over, x, y)

    @property
    def taps(self) -> int:
        """How many windows an element lies in, at most."""
        return ceil(self.size / self.stride)

    @property
    def known(self) -> tuple[int, int] | None:
        """The sizes before and after, if both are known."""
        before, after = known_dim(self.before, self.at + 1), known_dim(self.after, self.at + 1)
        return None if before is None or after is None else (before, after)

    def count(self, op: Ops) -> ir.Value:
        """The number of windows, as an int64 vector of one element."""
        return dim(op, self.after, self.at + 1)


def _undo(op: Ops, axis: _Axis, x: ir.Value, y: ir.Value, dy: ir.Value, shape: "list[int | ir.Value]") -> ir.Value:
    """Undo the pool over one axis of (N, H, W, C). ``shape``: of the result before it is cropped."""
    padded, at = _padded(op, axis, x), op.constant([axis.at])
    left, parts = dy, []
    for offset in range(axis.size - 1):
        if axis.known is not None:
            end = op.constant([offset + 1 + axis.stride * (axis.known[1] - 1)])
        else:
            end = op.Add(op.Mul(axis.count(op), op.constant([axis.stride])), op.constant([offset + 1 - axis.stride]))
        element = op.Slice(padded, op.constant([offset]), end, at, op.constant([axis.stride]))
        # max(0, 1 − 3.4e38 · (y − x)) is 1 where x is the maximum, else 0.
        part = op.Mul(left, op.HardSigmoid(op.Sub(element, y), alpha=STEEPEST, beta=1.0))
        left = op.Sub(left, part)
        parts.append(part)
    return _interleaved(op, axis, [*parts, left], shape)  # what is left by all others belongs to the last


def _padded(op: Ops, axis: _Axis, x: ir.Value) -> ir.Value:
    """``x`` from the first element of the first window to the last of the last one, where windows reach over the edge."""
    if not axis.reaches_over:
        return x
    if axis.known is not None:
        before, after = axis.known
        more = (after - 1) * axis.stride + axis.size - before - axis.begin
        if axis.begin == 0 and more <= 0:
            return x
        end = op.constant([more])
    else:
        count, before_value = axis.count(op), dim(op, axis.before, axis.at + 1)
        length = op.Add(op.Mul(count, op.constant([axis.stride])), op.constant([axis.size - axis.stride - axis.begin]))
        end = op.Sub(length, before_value)
    lowest = op.constant(np.finfo(dtype(x).numpy()).min, like=x)
    return op.Pad(x, _pads(op, axis, op.constant([axis.begin]), end), lowest)


def _interleaved(op: Ops, axis: _Axis, parts: list[ir.Value], shape: "list[int | ir.Value]") -> ir.Value:
    """Element stride·q + r receives the parts of offset stride·t + r of the windows q − t, for all t."""
    covered = None if axis.known is None else (axis.known[1] + axis.taps - 1) * axis.stride
    if covered is None:
        spare = int(axis.taps * axis.stride - axis.size < axis.stride - 1)
    else:
        assert axis.known is not None
        spare = int(axis.known[0] + axis.begin > covered)  # elements after the last window
        covered += spare * axis.stride
    phases: list[ir.Value] = []
    for phase in range(axis.stride):
        shifted = [_shifted(op, axis, parts[j], j // axis.stride, spare) for j in range(phase, axis.size, axis.stride)]
        phases.append(op.total(shifted) if shifted else op.Mul(phases[0], 0))
    if axis.stride == 1:
        joined = phases[0]
    else:
        between = op.constant([axis.at + 1])
        stacked = op.Concat(*(op.Unsqueeze(phase, between) for phase in phases), axis=axis.at + 1)
        sizes = [op.constant([n]) if isinstance(n, int) else n for n in shape]
        joined = op.Reshape(stacked, op.Concat(*sizes, axis=0))
    if axis.begin == 0 and axis.known is not None and covered == axis.known[0]:
        return joined
    begin, size = op.constant([axis.begin]), dim(op, axis.before, axis.at + 1)
    return op.Slice(joined, begin, op.Add(begin, size), op.constant([axis.at]))


def _shifted(op: Ops, axis: _Axis, part: ir.Value, by: int, spare: int) -> ir.Value:
    after = axis.taps - 1 - by + spare
    if by == 0 and after == 0:
        return part
    return op.Pad(part, _pads(op, axis, op.constant([by]), op.constant([after])))


def _pads(op: Ops, axis: _Axis, begin: ir.Value, end: ir.Value) -> ir.Value:
    """Padding of one axis, written out for all four: with the operator's input ``axes``, ONNX Runtime 1.32 fails to move transposes."""
    zeros_before, zeros_after = op.constant([0] * axis.at), op.constant([0] * (3 - axis.at))
    return op.Concat(zeros_before, begin, zeros_after, zeros_before, end, zeros_after, axis=0)
