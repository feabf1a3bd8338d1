"""Rules of element-wise operators. ``x`` is an input, ``y`` the output, ``dx`` and ``dy`` their cotangents."""

import onnx_ir as ir

from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import dtype, operand


def mask(op: Ops, condition: ir.Value, dy: ir.Value) -> ir.Value:
    """``dy`` where the condition holds, else 0."""
    return op.Where(condition, dy, op.constant(0, like=dy))


@vjp("Identity", "Dropout")
def identity(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy; Dropout does nothing at inference."""
    return [dy, None, None]


@vjp("Cast", "CastLike")
def cast(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy in the type of x."""
    x = node.inputs[0]
    return [op.CastLike(dy, x), None]


@vjp("Clip")
def clip(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy where min ≤ x ≤ max: just where clipping changed nothing; what it cut off goes to the bounds."""
    x = node.inputs[0]
    low, high = ([*node.inputs, None, None])[1:3]
    d_low = op.ReduceSum(mask(op, op.Less(x, low), dy), keepdims=0) if low else None
    d_high = op.ReduceSum(mask(op, op.Greater(x, high), dy), keepdims=0) if high else None
    return [mask(op, op.Equal(x, node.outputs[0]), dy), d_low, d_high]


@vjp("Exp")
def exp(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · y."""
    return [op.Mul(dy, node.outputs[0])]


@vjp("Log")
def log(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy / x."""
    return [op.Div(dy, node.inputs[0])]


@vjp("Sqrt")
def sqrt(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy / 2y."""
    return [op.Div(dy, op.Mul(node.outputs[0], 2))]


@vjp("Reciprocal")
def reciprocal(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = −dy · y²."""
    y = node.outputs[0]
    return [op.Neg(op.Mul(dy, op.Mul(y, y)))]


@vjp("Sin")
def sin(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · cos x."""
    return [op.Mul(dy, op.Cos(node.inputs[0]))]


@vjp("Cos")
def cos(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = −dy · sin x."""
    return [op.Neg(op.Mul(dy, op.Sin(node.inputs[0])))]


@vjp("Abs")
def absolute(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · sign x."""
    return [op.Mul(dy, op.Sign(node.inputs[0]))]


@vjp("Neg")
def neg(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = −dy."""
    return [op.Neg(dy)]


@vjp("Add", core_axes=0)
def add(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Da = db = dy."""
    return [dy, dy]


@vjp("Sum", core_axes=0)
def sum_(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each input receives dy."""
    return [dy] * len(node.inputs)


@vjp("Mean", core_axes=0)
def mean(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each of the n inputs receives dy / n."""
    return [op.Mul(dy, 1 / len(node.inputs))] * len(node.inputs)


@vjp("Sub", core_axes=0)
def sub(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Da = dy, db = −dy."""
    return [dy, op.Neg(dy)]


@vjp("Mul", core_axes=0)
def mul(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Da = dy · b, db = dy · a."""
    a, b = node.inputs
    return [op.Mul(dy, b), op.Mul(dy, a)]


@vjp("Div", core_axes=0)
def div(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Da = dy / b, db = −dy · y / b."""
    b, y = node.inputs[1], node.outputs[0]
    return [op.Div(dy, b), op.Neg(op.Div(op.Mul(dy, y), b))]


@vjp("Pow", core_axes=0)
def power(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Da = dy · b · a^(b−1), and 0 where b = 0; db = dy · y · ln a where a > 0, else 0."""
    a, y = node.inputs[0], node.outputs[0]
    b = op.CastLike(node.inputs[1], a)
    da = mask(op, op.Not(op.Equal(b, 0)), op.Mul(dy, op.Mul(b, op.Pow(a, op.Sub(b, 1)))))
    positive = op.Greater(a, 0)
    db = mask(op, positive, op.Mul(dy, op.Mul(y, op.Log(op.Where(positive, a, op.constant(1, like=a))))))
    return [da, db]


@vjp("Max", "Min", core_axes=0)
def extremum(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dy goes to the input that was chosen, in equal parts where several are (as torch.maximum has it)."""
    y = node.outputs[0]
    chosen = [op.Cast(op.Equal(x, y), to=dtype(y)) for x in node.inputs]
    share = op.Div(dy, op.Sum(*chosen))
    return [op.Mul(c, share) for c in chosen]


@vjp("Where", core_axes=0)
def where(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Da = dy where the condition holds, db = dy where it does not."""
    condition = operand(node, 0)
    return [None, mask(op, condition, dy), mask(op, op.Not(condition), dy)]


@vjp("Expand", core_axes=0)
def expand(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy, summed over the stretched axes by the walk."""
    return [dy, None]
