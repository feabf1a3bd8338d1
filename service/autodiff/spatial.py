"""Rules of convolution and average pooling. Images are (N, C, D1, …, Dn)."""

from collections.abc import Sequence
from math import ceil

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from service.autodiff.ops import Ops
from service.autodiff.polyphase import Phases, phases_of
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import constant_value, dtype, fixed_dims, operand, shape_of, zeros_like
from service.autodiff.windows import Window, window
from service.errors import NotDifferentiable


@vjp("Conv")
def conv(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx is the transposed convolution of dy with the same kernel, dw the convolution of x with dy, db the sum of dy."""
    x, w = operand(node, 0), operand(node, 1)
    kernel_shape = _kernel_shape(node, w)
    win, group = window(node, kernel_shape[2:]), node.attributes.get_int("group", 1)
    db = op.ReduceSum(dy, op.constant([0, *range(2, len(kernel_shape))]), keepdims=0)
    return [transposed_conv(op, dy, w, win, group, x), _kernel_cotangent(op, dy, x, kernel_shape, win, group), db]


def _kernel_shape(node: ir.Node, w: ir.Value) -> list[int]:
    shape = fixed_dims(w)
    if shape is None:
        raise NotDifferentiable(f"the kernel of {node.op_type} has no fixed shape (node {node.name!r})")
    return shape


def _kernel_cotangent(op: Ops, dy: ir.Value, x: ir.Value, shape: list[int], win: Window, group: int) -> ir.Value:
    """dw[m, c, k] = Σ_n,q dy[n, m, q] · x[n, c, s·q + d·k − pad]: a convolution over the batch, stride and dilation exchanged."""
    axes = list(range(2, len(shape)))
    spatial = op.Shape(x, start=2)
    by_channel = op.Reshape(x, op.Concat(op.constant([0, group, shape[1]]), spatial, axis=0))
    swapped = op.Transpose(by_channel, perm=[2, 1, 0, *(axis + 1 for axis in axes)])  # (C / group, group, N, …)
    stacked = op.Reshape(swapped, op.Concat(op.constant([shape[1], -1]), spatial, axis=0))
    kernel = op.Transpose(dy, perm=[1, 0, *axes])  # (M, N, …)
    dw = op.Conv(stacked, kernel, strides=win.dilations, dilations=win.strides, pads=win.begin + win.end, group=group)
    cut = op.Slice(dw, op.constant([0] * len(axes)), op.constant(shape[2:]), op.constant(axes))
    return op.Transpose(cut, perm=[1, 0, *axes])


def transposed_conv(op: Ops, dy: ir.Value, w: ir.Value, win: Window, group: int, x: ir.Value) -> ir.Value:
    """The adjoint of a convolution of ``x`` with the kernel ``w`` (M, C / group, k1, …).

    Three forms, the cheapest that fits. A dense window becomes a convolution with the flipped kernel; equal strides on two axes a
    convolution that computes all phases as channels, then DepthToSpace (the sub-pixel form: Shi et al. 2016,
    "Is the deconvolution layer the same as a convolutional layer?"); the rest ConvTranspose. The first two run on the fast blocked
    kernels of a CPU runtime, which ConvTranspose does not have.
    """
    kernel = constant_value(w)
    padding = [e - 1 - b for e, b in zip(win.extent, win.begin, strict=True)]
    end_padding = [e - 1 - b for e, b in zip(win.extent, win.end, strict=True)]
    if kernel is not None and win.is_dense and min(padding + end_padding) >= 0:
        return op.Conv(dy, op.constant(_flipped(kernel, group)), pads=padding + end_padding, group=group)
    if kernel is not None and len(win.size) == 2 and len(set(win.strides)) == 1 and set(win.dilations) == {1}:
        return _sub_pixel(op, dy, kernel, win, group, x)
    return _conv_transpose(op, dy, w, win, group, x)


def _flipped(kernel: npt.NDArray[np.floating], group: int) -> npt.NDArray[np.floating]:
    """(M, C / group, k…) -> (C, M / group, k…), reversed along the spatial axes."""
    m, c, *size = kernel.shape
    swapped = np.swapaxes(kernel.reshape(group, m // group, c, *size), 1, 2).reshape(group * c, m // group, *size)
    return np.ascontiguousarray(np.flip(swapped, axis=tuple(range(2, kernel.ndim))))


def _sub_pixel(
    op: Ops, dy: ir.Value, kernel: npt.NDArray[np.floating], win: Window, group: int, x: ir.Value
) -> ir.Value:
    """dx[s·q + r] = Σ_t W[s·t + r] · dy[q − t]: for each phase r a convolution over q, the phases interleaved.

    Where dy itself is known in phases, dy[p·q + o], it is the sum of those with stride s·p and the kernel moved by s·o.
    """
    phases = phases_of(dy)
    if phases is None or len(set(phases.strides)) > 1:
        phases = Phases((1, 1), (0, 0), {(0, 0): dy})
    s = win.strides[0]
    stride = s * phases.strides[0]
    ends = [ceil((k - 1) / stride) for k in win.size]  # so many more rows hold what the stride left over
    stacked = [
        _all_phases(
            op, part, np.pad(kernel, [(0, 0), (0, 0), (s * offset[0], 0), (s * offset[1], 0)]), stride, ends, group
        )
        for offset, part in phases.parts.items()
    ]
    begin = [own + s * before for own, before in zip(win.begin, phases.begin, strict=True)]
    return _crop(op, op.DepthToSpace(op.total(stacked), blocksize=stride, mode="CRD"), begin, x)


def _all_phases(
    op: Ops, dy: ir.Value, kernel: npt.NDArray[np.floating], s: int, ends: list[int], group: int
) -> ir.Value:
    """(N, C·s·s, H, W): the phases of the transposed convolution with stride s, as channels."""
    m, c, *size = kernel.shape
    taps = [ceil(k / s) for k in size]
    fill = [(0, t * s - k) for t, k in zip(taps, size, strict=True)]
    padded = np.pad(kernel, [(0, 0), (0, 0), *fill]).reshape(m, c, taps[0], s, taps[1], s)
    phases = padded.transpose(0, 1, 3, 5, 2, 4).reshape(m, c * s * s, *taps)  # (M, C·s·s, t, t)
    return op.Conv(dy, op.constant(_flipped(phases, group)), pads=[*(t - 1 for t in taps), *ends], group=group)


def _conv_transpose(op: Ops, dy: ir.Value, w: ir.Value, win: Window, group: int, x: ir.Value) -> ir.Value:
    axes = len(win.size)
    spread = op.ConvTranspose(dy, w, strides=win.strides, dilations=win.dilations, group=group)
    leftover = [s - 1 for s in win.strides]
    if any(leftover):
        spread = op.Pad(spread, op.constant([0] * (axes + 4) + leftover))
    return _crop(op, spread, win.begin, x) if any([*win.begin, *win.end, *leftover]) else spread


def _crop(op: Ops, spread: ir.Value, before: Sequence[int], x: ir.Value) -> ir.Value:
    """The part of ``spread`` that lies on ``x``, without its padding. before: how much is before it along each axis."""
    begin = op.constant(before)
    size = op.constant(dims[2:]) if (dims := fixed_dims(x)) is not None else op.Shape(x, start=2)
    return op.Slice(spread, begin, op.Add(begin, size), op.constant(range(2, 2 + len(before))))


@vjp("ConvTranspose")
def conv_transpose(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx is the convolution of dy with the same kernel, dw that of dy with x, db the sum of dy."""
    x, w = operand(node, 0), operand(node, 1)
    kernel_shape = _kernel_shape(node, w)
    if "output_shape" in node.attributes or node.attributes.get_string("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise NotDifferentiable(
            f"ConvTranspose with output_shape or auto_pad has no rule (node {node.name!r}); write its pads out"
        )
    win, group = window(node, kernel_shape[2:]), node.attributes.get_int("group", 1)
    dx = op.Conv(dy, w, strides=win.strides, dilations=win.dilations, pads=win.begin + win.end, group=group)
    db = op.ReduceSum(dy, op.constant([0, *range(2, len(kernel_shape))]), keepdims=0)
    return [dx, _kernel_cotangent(op, x, dy, kernel_shape, win, group), db]


@vjp("AveragePool")
def average_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each element of dy is divided by the size of its window and added to all elements under it."""
    x = operand(node, 0)
    win = window(node, list(node.attributes["kernel_shape"].as_ints()))
    dims = fixed_dims(x)
    if (
        dims is not None
        and not any([*win.begin, *win.end])
        and all(k >= d for k, d in zip(win.extent, dims[2:], strict=True))
    ):
        return [op.Expand(op.Mul(dy, 1 / float(np.prod(dims[2:]))), op.constant(dims))]  # one window over all
    share = _window_share(op, node, win, x)
    planes = op.Concat(op.constant([-1, 1]), op.Shape(dy, start=2), axis=0)
    ones = op.constant(np.ones((1, 1, *win.size)), like=x)
    spread = transposed_conv(op, op.Reshape(op.Mul(dy, share), planes), ones, win, 1, x)
    return [op.Reshape(spread, shape_of(op, x))]


def _window_share(op: Ops, node: ir.Node, win: Window, x: ir.Value) -> ir.Value:
    """1 / the divisor of each window. Windows differ where they reach over the edge: mean of ones / number of ones."""
    overhang = node.attributes.get_int("ceil_mode", 0) or any([*win.begin, *win.end])
    if not overhang:
        return op.constant(1 / np.prod(win.size), like=x)
    plane = op.Concat(op.constant([1, 1]), op.Shape(x, start=2), axis=0)
    ones = op.Expand(op.constant(np.ones(1), like=x), plane)
    mean = op.AveragePool(ones, **node.attributes)
    return op.Div(mean, _count_under_windows(op, ones, win, node.outputs[0]))


def _count_under_windows(op: Ops, ones: ir.Value, win: Window, y: ir.Value) -> ir.Value:
    """How many elements of the plane each window covers; windows that start beyond those of ``y`` are cut off."""
    axes = len(win.size)
    kernel = op.constant(np.ones((1, 1, *win.size)), like=ones)
    pads = win.begin + [end + extent - 1 for end, extent in zip(win.end, win.extent, strict=True)]
    count = op.Conv(ones, kernel, strides=win.strides, dilations=win.dilations, pads=pads)
    return op.Slice(count, op.constant([0] * axes), op.Shape(y, start=2), op.constant(list(range(2, 2 + axes))))


@vjp("GlobalAveragePool")
def global_average_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy / n at each of the n elements of a channel."""
    x = operand(node, 0)
    dims = fixed_dims(x)
    if dims is not None:
        return [op.Expand(op.Mul(dy, 1 / float(np.prod(dims[2:]))), op.constant(dims))]
    count = op.Cast(op.ReduceProd(op.Shape(x, start=2), keepdims=0), to=dtype(x))
    return [op.Expand(op.Div(dy, count), op.Shape(x))]


@vjp("GlobalMaxPool")
def global_max_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dy goes to the largest element of each channel, the first where several are."""
    x = operand(node, 0)
    rows = op.Reshape(x, op.constant([0, 0, -1]))
    index = op.ArgMax(rows, axis=2, keepdims=1)
    first = op.Reshape(dy, op.constant([0, 0, 1]))
    zeros = op.Reshape(zeros_like(op, x), op.constant([0, 0, -1]))
    return [op.Reshape(op.ScatterElements(zeros, index, first, axis=2), shape_of(op, x))]
