"""What is known of shapes while a graph is built, and reading them at run time where it is not."""

import numpy as np
import onnx_ir as ir

from service.autodiff.errors import NotDifferentiable
from service.autodiff.ops import Ops


def operand(node: ir.Node, i: int) -> ir.Value:
    """Input ``i`` of the node, which the operator requires."""
    x = node.inputs[i]
    if x is None:
        raise NotDifferentiable(f"{node.op_type} (node {node.name!r}) lacks its input {i}")
    return x


def optional_operand(node: ir.Node, i: int) -> ir.Value | None:
    """Input ``i`` of the node, None where it is absent."""
    return node.inputs[i] if len(node.inputs) > i else None


def dtype(x: ir.Value) -> ir.DataType:
    """The element type of ``x``; inference must have found it."""
    if x.dtype is None:
        raise NotDifferentiable(f"the element type of {x.name!r} is not known")
    return x.dtype


def rank(x: ir.Value) -> int:
    """The number of axes of ``x``; inference must have found it."""
    if x.shape is None:
        raise NotDifferentiable(f"the rank of {x.name!r} is not known")
    return len(x.shape)


def fixed_dims(x: ir.Value) -> list[int] | None:
    """The sizes of ``x`` if all are known."""
    if x.shape is None or not all(isinstance(d, int) for d in x.shape):
        return None
    return [d for d in x.shape if isinstance(d, int)]


def same_dims(x: ir.Value, y: ir.Value, ignore_last: int = 0) -> bool:
    """Whether both shapes, the last axes apart, are known to be equal; symbols are equal when their names are."""
    if x.shape is None or y.shape is None or len(x.shape) != len(y.shape):
        return False
    pairs = list(zip(x.shape, y.shape, strict=True))
    return all(_known_equal(a, b) for a, b in pairs[: len(pairs) - ignore_last])


def _known_equal(a: int | ir.SymbolicDim, b: int | ir.SymbolicDim) -> bool:
    if isinstance(a, ir.SymbolicDim):
        return isinstance(b, ir.SymbolicDim) and a.value is not None and a.value == b.value
    return a == b


def known_dim(x: ir.Value, axis: int) -> int | None:
    """The size of ``x`` along ``axis`` if it is known."""
    size = x.shape[axis] if x.shape is not None else None
    return size if isinstance(size, int) else None


def dim(op: Ops, x: ir.Value, axis: int) -> ir.Value:
    """The size of ``x`` along ``axis`` as an int64 vector of one element."""
    if x.shape is not None and isinstance(size := x.shape[axis], int):
        return op.constant([size])
    end = axis + 1
    bounds = {"start": axis} if end == 0 else {"start": axis, "end": end}
    return op.Shape(x, **bounds)


def positions(op: Ops, x: ir.Value, axis: int) -> ir.Value:
    """0, 1, … up to the size of ``x`` along ``axis``."""
    size = op.Squeeze(dim(op, x, axis), op.constant([0]))
    return op.Range(op.constant(0), size, op.constant(1))


def shape_of(op: Ops, x: ir.Value) -> ir.Value:
    """The shape of ``x`` as an int64 vector: a constant where it is known."""
    dims = fixed_dims(x)
    return op.constant(dims) if dims is not None else op.Shape(x)


def zeros_like(op: Ops, x: ir.Value, kind: ir.Value | None = None) -> ir.Value:
    """Zeros of the shape of ``x`` and of its type, or of that of ``kind``."""
    zero = ir.tensor(np.zeros(1, dtype(kind or x).numpy()))
    return op.ConstantOfShape(shape_of(op, x), value=zero)


def constant_value(x: ir.Value | None) -> np.ndarray | None:
    """The array that ``x`` is known to hold, or None."""
    if x is None or x.const_value is None:
        return None
    return x.const_value.numpy()
