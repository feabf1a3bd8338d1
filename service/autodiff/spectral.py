"""Fourier transforms, and Col2Im, which puts windows together as the inverse of a short-time transform does."""

from math import prod

import numpy as np
import onnx_ir as ir

from service.autodiff.errors import NotDifferentiable
from service.autodiff.lowering import lowers
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import constant_value, dim, known_dim, operand, optional_operand, rank

_AXIS_IS_INPUT = 20  # since which opset the axis of DFT is an input and no attribute


@vjp("DFT")
def dft(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The adjoint of the transform of length L is L times its inverse, that of the inverse 1/L times the transform.

    What was padded to the length is cut off again, and the other way round; the half that a one-sided transform leaves
    out is zero, and the imaginary part of a real signal is dropped.
    """
    x, axis = operand(node, 0), _axis(op, node)
    inverse = node.attributes.get_int("inverse", 0)
    if inverse and node.attributes.get_int("onesided", 0):
        raise NotDifferentiable(f"DFT that is both inverse and one-sided has no rule (node {node.name!r})")
    length = (
        op.Reshape(given, op.constant([1])) if (given := optional_operand(node, 1)) is not None else dim(op, x, axis)
    )
    full = _resized(op, dy, axis, length)
    transformed = transform(op, full, axis, inverse=1 - inverse)
    scale = op.CastLike(length, dy)
    scaled = op.Div(transformed, scale) if inverse else op.Mul(transformed, scale)
    dx = _resized(op, scaled, axis, dim(op, x, axis))
    if known_dim(x, -1) != 2:  # a real signal: one number per element
        dx = op.Slice(dx, op.constant([0]), dim(op, x, -1), op.constant([-1]))
    return [dx, None, None]


def transform(op: Ops, x: ir.Value, axis: int, **attributes: int) -> ir.Value:
    """DFT along an axis, in the form that the opset of the graph has."""
    if op.opset >= _AXIS_IS_INPUT:
        return op.DFT(x, None, op.constant(np.int64(axis)), **attributes)
    return op.DFT(x, axis=axis, **attributes)


def _axis(op: Ops, node: ir.Node) -> int:
    x = operand(node, 0)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        value = constant_value(node.inputs[2])
        if value is None:
            raise NotDifferentiable(f"the axis of DFT must be a constant (node {node.name!r})")
        return int(value) % rank(x)
    return node.attributes.get_int("axis", -2 if op.opset >= _AXIS_IS_INPUT else 1) % rank(x)


def _resized(op: Ops, x: ir.Value, axis: int, length: ir.Value) -> ir.Value:
    """``x`` cut off or filled with zeros at the end of the axis."""
    missing = op.Sub(length, op.Shape(x, start=axis, end=axis + 1))
    zero = op.constant([0])
    filled = op.Pad(x, op.Concat(zero, op.Max(missing, zero), axis=0), None, op.constant([axis]))
    return op.Slice(filled, zero, length, op.constant([axis]))


@lowers("STFT")
def short_time_transform(op: Ops, node: ir.Node) -> list[ir.Value]:
    """Frames are gathered, multiplied by the window and transformed."""
    signal, step, frame_window = operand(node, 0), operand(node, 1), optional_operand(node, 2)
    given = optional_operand(node, 3)
    if given is None and frame_window is None:
        raise NotDifferentiable(f"STFT has neither a window nor a frame length (node {node.name!r})")
    length = given if given is not None else op.Size(frame_window)
    scalar = op.constant([])
    length, step = op.Reshape(length, scalar), op.Reshape(step, scalar)
    zero, one = op.constant(np.int64(0)), op.constant(np.int64(1))
    last = op.Sub(op.Squeeze(dim(op, signal, 1), op.constant([0])), length)
    starts = op.Range(zero, op.Add(last, one), step)
    places = op.Add(op.Unsqueeze(starts, op.constant([1])), op.Range(zero, length, one))
    frames = op.Gather(signal, places, axis=1)  # (batch, frames, length, 1 or 2)
    if frame_window is not None:
        frames = op.Mul(frames, op.Unsqueeze(frame_window, op.constant([1])))
    return [transform(op, frames, 2, onesided=node.attributes.get_int("onesided", 1))]


@vjp("Col2Im")
def columns_to_image(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The windows of dy: a convolution of each channel with kernels that pick one element each."""
    block = constant_value(node.inputs[2])
    if block is None:
        raise NotDifferentiable(f"the block shape of Col2Im must be a constant (node {node.name!r})")
    places, axes = prod(block.tolist()), len(block)
    kernels = op.constant(np.eye(places).reshape(places, 1, *block), like=dy)
    planes = op.Reshape(dy, op.Concat(op.constant([-1, 1]), op.Shape(dy, start=2), axis=0))
    windows = op.Conv(
        planes,
        kernels,
        strides=node.attributes.get_ints("strides", [1] * axes),
        dilations=node.attributes.get_ints("dilations", [1] * axes),
        pads=node.attributes.get_ints("pads", [0] * 2 * axes),
    )
    return [op.Reshape(windows, op.Shape(operand(node, 0))), None, None]
