"""Rules of average pooling. Images are (N, C, D1, …, Dn)."""

import numpy as np
import onnx_ir as ir

from service.autodiff.convolution import TransposedConv, transposed_conv
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import dtype, fixed_dims, operand, shape_of
from service.autodiff.windows import Window, window


@vjp("AveragePool")
def average_pool(op: Ops, node: ir.Node, dy: ir.Value, transposed: TransposedConv = transposed_conv) -> Cotangents:
    """Each element of dy is divided by the size of its window and added to all elements under the window.

    That is the transposed convolution with a kernel of ones, computed in the form ``transposed``.
    """
    x = operand(node, 0)
    win = window(node, list(node.attributes["kernel_shape"].as_ints()))
    dims = fixed_dims(x)
    if (
        dims is not None
        and not any([*win.begin, *win.end])
        and all(k >= d for k, d in zip(win.extent, dims[2:], strict=True))
    ):
        return [op.Expand(op.Mul(dy, 1 / float(np.prod(dims[2:]))), op.constant(dims))]  # one window covers all of x
    share = _window_share(op, node, win, x)
    return [spread_over_windows(op, op.Mul(dy, share), win, x, transposed)]


def spread_over_windows(
    op: Ops, shares: ir.Value, win: Window, x: ir.Value, transposed: TransposedConv = transposed_conv
) -> ir.Value:
    """Add one number per window to all elements of ``x`` under the window; the result has the shape of ``x``."""
    planes = op.Concat(op.constant([-1, 1]), op.Shape(shares, start=2), axis=0)
    ones = op.constant(np.ones((1, 1, *win.size)), like=x)
    spread = transposed(op, op.Reshape(shares, planes), ones, win, 1, x)
    return op.Reshape(spread, shape_of(op, x))


def _window_share(op: Ops, node: ir.Node, win: Window, x: ir.Value) -> ir.Value:
    """1 / the divisor of each window.

    Divisors differ where windows reach over the edge. They are found by pooling a plane of ones: the mean that the
    operator computes for a window, divided by the number of ones under it.
    """
    overhang = node.attributes.get_int("ceil_mode", 0) or any([*win.begin, *win.end])
    if not overhang:
        return op.constant(1 / np.prod(win.size), like=x)
    plane = op.Concat(op.constant([1, 1]), op.Shape(x, start=2), axis=0)
    ones = op.Expand(op.constant(np.ones(1), like=x), plane)
    mean = op.AveragePool(ones, **node.attributes)
    return op.Div(mean, _count_under_windows(op, ones, win, node.outputs[0]))


def _count_under_windows(op: Ops, ones: ir.Value, win: Window, y: ir.Value) -> ir.Value:
    """How many elements of the plane each window covers; windows beyond the last one of ``y`` are cut off."""
    axes = len(win.size)
    kernel = op.constant(np.ones((1, 1, *win.size)), like=ones)
    pads = win.begin + [end + extent - 1 for end, extent in zip(win.end, win.extent, strict=True)]
    count = op.Conv(ones, kernel, strides=win.strides, dilations=win.dilations, pads=pads)
    return op.Slice(count, op.constant([0] * axes), op.Shape(y, start=2), op.constant(list(range(2, 2 + axes))))


@vjp("GlobalAveragePool")
def global_average_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each of the n elements of a channel receives dy / n."""
    x = operand(node, 0)
    dims = fixed_dims(x)
    if dims is not None:
        return [op.Expand(op.Mul(dy, 1 / float(np.prod(dims[2:]))), op.constant(dims))]
    count = op.Cast(op.ReduceProd(op.Shape(x, start=2), keepdims=0), to=dtype(x))
    return [op.Expand(op.Div(dy, count), op.Shape(x))]
