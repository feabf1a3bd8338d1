"""Which values are functions of others place by place: activations, and gates as in x · sigmoid(x)."""

import onnx_ir as ir

from service.autodiff.shapes import constant_value

# Those whose derivative is not y / x.
ACTIVATIONS = (
    "ThresholdedRelu Clip Elu Celu Selu Gelu Mish HardSwish Softplus Softsign Tanh Sigmoid HardSigmoid Erf Exp Log Sqrt"
).split()
_POINTWISE = frozenset(
    [*ACTIVATIONS, *"Relu LeakyRelu PRelu Abs Neg Identity Cast Add Sub Mul Div Pow Reciprocal".split()]
)
_MOST_IN_A_GATE = 20  # nodes


def is_gate(x: ir.Value, signal: ir.Value) -> bool:
    """Whether ``x`` is a reciprocal, or a function of the signal (or of what it is a multiple of) place by place."""
    node = x.producer()
    if node is not None and node.op_type == "Reciprocal":
        return True
    source, waiting, seen = _root(signal), [x], 0
    while waiting:
        value = waiting.pop()
        node = value.producer()
        if value is source or constant_value(value) is not None:
            continue
        seen += 1
        if node is None or node.op_type not in _POINTWISE or seen > _MOST_IN_A_GATE:
            return False
        waiting += [each for each in node.inputs if each is not None]
    return x is not source and x is not signal


def _root(x: ir.Value) -> ir.Value:
    """What ``x`` is a constant multiple of."""
    while (node := x.producer()) is not None and node.op_type in ("Mul", "Div"):
        varying = [each for each in node.inputs if each is not None and constant_value(each) is None]
        if len(varying) != 1 or varying[0] is not (node.inputs[0] if node.op_type == "Div" else varying[0]):
            return x
        x = varying[0]
    return x
