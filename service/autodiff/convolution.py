"""Rules of the convolution and of the transposed convolution. Images are (N, C, D1, …, Dn)."""

from collections.abc import Callable, Sequence

import onnx_ir as ir

from service.autodiff.errors import NotDifferentiable
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import fixed_dims, known_dim, operand
from service.autodiff.windows import Window, window


def transposed_conv(op: Ops, dy: ir.Value, w: ir.Value, win: Window, group: int, x: ir.Value) -> ir.Value:
    """The adjoint of a convolution of ``x``, as a ConvTranspose: the form that every runtime has a kernel for.

    It takes kernels that are computed at run time, any number of axes, and any strides and dilations. Runtimes that
    have faster kernels for other forms exchange it, see `service.autodiff.nchwc`.

    Args:
        op: Appends the nodes.
        dy: The cotangent of the convolution's output (N, M, q1, …).
        w: The kernel (M, C / group, k1, …).
        win: How the kernel slides over ``x``.
        group: The number of groups.
        x: The input of the convolution (N, C, d1, …); only its shape is used.
    """
    leftover = _leftover(win, x, dy)
    if leftover is not None and win.begin == win.end:  # not every runtime pads a ConvTranspose asymmetrically
        pads = win.begin + win.end
        return op.ConvTranspose(
            dy, w, strides=win.strides, dilations=win.dilations, pads=pads, output_padding=leftover, group=group
        )
    spread = op.ConvTranspose(dy, w, strides=win.strides, dilations=win.dilations, group=group)
    most = [s - 1 for s in win.strides]
    if any(most):
        spread = op.Pad(spread, op.constant([0] * (len(most) + 4) + most))
    return crop(op, spread, win.begin, x)


TransposedConv = Callable[[Ops, ir.Value, ir.Value, Window, int, ir.Value], ir.Value]


def _leftover(win: Window, x: ir.Value, dy: ir.Value) -> list[int] | None:
    """How many elements at the end of each padded axis no window reaches; None if that is not known or negative."""
    leftover = []
    for axis, (extent, stride, begin, end) in enumerate(
        zip(win.extent, win.strides, win.begin, win.end, strict=True), start=2
    ):
        size, windows = known_dim(x, axis), known_dim(dy, axis)
        if stride == 1:
            leftover.append(0)
        elif size is None or windows is None:
            return None
        else:
            leftover.append(begin + size + end - extent - (windows - 1) * stride)
    return leftover if min(leftover) >= 0 else None


def crop(op: Ops, spread: ir.Value, before: Sequence[int], x: ir.Value) -> ir.Value:
    """The part of ``spread`` that lies on ``x``; along each spatial axis ``before`` elements come before it."""
    begin = op.constant(before)
    size = op.constant(dims[2:]) if (dims := fixed_dims(x)) is not None else op.Shape(x, start=2)
    return op.Slice(spread, begin, op.Add(begin, size), op.constant(range(2, 2 + len(before))))


@vjp("Conv")
def conv(op: Ops, node: ir.Node, dy: ir.Value, transposed: TransposedConv = transposed_conv) -> Cotangents:
    """Dx is the transposed convolution of dy with the same kernel, dw the convolution of x with dy, db the sum of dy.

    ``transposed`` is the form in which the transposed convolution is computed.
    """
    x, w = operand(node, 0), operand(node, 1)
    kernel_shape = _kernel_shape(node, w)
    win, group = window(node, kernel_shape[2:]), node.attributes.get_int("group", 1)
    db = op.ReduceSum(dy, op.constant([0, *range(2, len(kernel_shape))]), keepdims=0)
    return [transposed(op, dy, w, win, group, x), _kernel_cotangent(op, dy, x, kernel_shape, win, group), db]


@vjp("ConvTranspose")
def conv_transpose(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """``dx`` is the convolution of dy with the same kernel, dw that of dy with x, db the sum of dy."""
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


def _kernel_shape(node: ir.Node, w: ir.Value) -> list[int]:
    shape = fixed_dims(w)
    if shape is None:
        raise NotDifferentiable(f"the kernel of {node.op_type} has no fixed shape (node {node.name!r})")
    return shape


def _kernel_cotangent(op: Ops, dy: ir.Value, x: ir.Value, shape: list[int], win: Window, group: int) -> ir.Value:
    """dw[m, c, k] = Σ_n,q dy[n, m, q] · x[n, c, s·q + d·k − pad].

    That is a convolution in which the batch takes the place of the channels, and stride and dilation are exchanged.
    """
    axes = list(range(2, len(shape)))
    spatial = op.Shape(x, start=2)
    by_channel = op.Reshape(x, op.Concat(op.constant([0, group, shape[1]]), spatial, axis=0))
    swapped = op.Transpose(by_channel, perm=[2, 1, 0, *(axis + 1 for axis in axes)])  # (C / group, group, N, …)
    stacked = op.Reshape(swapped, op.Concat(op.constant([shape[1], -1]), spatial, axis=0))
    kernel = op.Transpose(dy, perm=[1, 0, *axes])  # (M, N, …)
    dw = op.Conv(stacked, kernel, strides=win.dilations, dilations=win.strides, pads=win.begin + win.end, group=group)
    cut = op.Slice(dw, op.constant([0] * len(axes)), op.constant(shape[2:]), op.constant(axes))
    return op.Transpose(cut, perm=[1, 0, *axes])
