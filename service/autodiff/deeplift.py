"""DeepLIFT as another set of rules: differences from a reference flow back instead of derivatives.

What passes through the walk is the multiplier m = C / Δx: the contribution C of a value to the difference of the
scores, divided by its difference Δx from what it is for the reference (Shrikumar et al. 2017, "Learning Important
Features Through Propagating Activation Differences", section 3.3). Multipliers obey the chain rule, so what is linear
keeps its derivative, and a function of one value has the slope of the secant (the rescale rule, section 3.5.1).

The secant is the derivative, averaged along the line from the reference to the value. So for all that is neither linear
nor a function of one value, that average is taken: at the middle, which is exact for products, or at five points of
Gauss and Legendre. The contributions of all pixels then sum up to the difference of the scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from service.autodiff.backward import Adjusted, Path
from service.autodiff.gates import ACTIVATIONS
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, Rule
from service.autodiff.shapes import operand, rank
from service.autodiff.twins import twin

_LEAST = 1e-4  # relative differences below are mostly rounding
_OF_ONE = frozenset([*ACTIVATIONS, *"Relu LeakyRelu PRelu Abs Pow Reciprocal Sin Cos Tan Asin Acos Atan".split()])
_CURVED = _OF_ONE | frozenset("LpPool LRN ReduceL2 ReduceLogSumExp".split())
_STANDARDIZATIONS = ("LayerNormalization", "InstanceNormalization", "RMSNormalization")
_EXTREMES = {
    "MaxPool": "Max",
    "GlobalMaxPool": "Max",
    "ReduceMax": "Max",
    "Max": "Max",
    "ReduceMin": "Min",
    "Min": "Min",
}
_MIDDLE = ((0.5, 1.0),)  # places between reference and value, and their weights
_SEVERAL = tuple((0.5 + x / 2, w / 2) for x, w in zip(*np.polynomial.legendre.leggauss(5), strict=True))


@dataclass(frozen=True)
class _Reference:
    """The run of the reference: the nodes and values that belong to those on the way."""

    nodes: Mapping[ir.Node, ir.Node]
    values: Mapping[ir.Value, ir.Value]


def rescale(name: str) -> Adjusted:
    """Rules of DeepLIFT, for `gradient_model`.

    name: that of the input that the graph gets for the reference. It has the shape of what is differentiated.
    """

    def adjusted(op: Ops, path: Path, rules: Mapping[str, Rule]) -> dict[str, Rule]:
        reference = _run_of_reference(op, path, name)
        return {op_type: _adjusted(op_type, rule, reference) for op_type, rule in rules.items()}

    return adjusted


def _run_of_reference(op: Ops, path: Path, name: str) -> _Reference:
    """Append all nodes on the way once more, for the reference."""
    computed = {y for node in path.nodes for y in node.outputs}
    (source,) = (x for x in path.values if x not in computed)
    start = ir.Value(name=name, shape=source.shape, type=source.type)
    path.graph.inputs.append(start)
    nodes: dict[ir.Node, ir.Node] = {}
    values = {source: start}
    for node in path.nodes:
        found = twin(op, node, [values.get(x, x) if x is not None else None for x in node.inputs])
        nodes[node] = found
        values |= {y: y0 for y, y0 in zip(node.outputs, found.outputs, strict=True) if y in path.values}
    return _Reference(nodes, values)


def _adjusted(name: str, rule: Rule, reference: _Reference) -> Rule:
    def apply(op: Ops, node: ir.Node, *dy: ir.Value) -> Cotangents:
        if name in _EXTREMES:
            return _extreme(op, node, rule, reference, dy[0])
        if name in ("Softmax", "LogSoftmax"):
            return _softmax(op, node, reference, dy[0])
        if name in _STANDARDIZATIONS:
            return _standardization(op, node, reference, dy[0])
        if name == "Div":
            return _quotient(op, node, reference, dy[0])
        if name in _OF_ONE and [x for x in node.inputs if x in reference.values] == [node.inputs[0]]:
            return _secant(op, node, rule, reference, dy[0])
        return _averaged(op, node, rule, reference, dy)

    return replace(rule, apply=apply)


def _secant(op: Ops, node: ir.Node, rule: Rule, reference: _Reference, dy: ir.Value) -> Cotangents:
    """The rescale rule: m Δy / Δx, and the derivative where Δx is nothing."""
    x = operand(node, 0)
    ends = x, reference.values[x], node.outputs[0], reference.nodes[node].outputs[0]
    derivative = rule.apply(op, node, dy)[0]
    assert derivative is not None
    return [_slope(op, *ends, derivative, dy)]


def _slope(
    op: Ops, x: ir.Value, x0: ir.Value, y: ir.Value, y0: ir.Value, otherwise: ir.Value | float, m: ir.Value | float = 1
) -> ir.Value:
    """M (y − y₀) / (x − x₀), and something else where x and x₀ are the same."""
    difference = op.Sub(x, x0)
    apart = op.Greater(op.Abs(difference), op.Add(op.Mul(op.Abs(x), _LEAST), _LEAST**2))
    slope = op.Div(op.Sub(y, y0), op.Where(apart, difference, op.constant(1, like=x)))
    other = otherwise if isinstance(otherwise, ir.Value) else op.constant(otherwise, like=x)
    return op.Where(apart, slope if m == 1 else op.Mul(slope, m), other)


def _softmax(op: Ops, node: ir.Node, reference: _Reference, dy: ir.Value) -> Cotangents:
    """Softmax as exp(x − log Σ exp x), with the secant of each step, so that no saturation makes a difference."""
    x, axis = operand(node, 0), op.constant([node.attributes.get_int("axis", -1)])
    x0 = reference.values[x]
    shift = op.Max(*(op.ReduceMax(each, axis, keepdims=1) for each in (x, x0)))
    e, e0 = (op.Exp(op.Sub(each, shift)) for each in (x, x0))
    total, total0 = (op.ReduceSum(each, axis, keepdims=1) for each in (e, e0))
    logs, logs0 = (op.ReduceLogSumExp(each, axis, keepdims=1) for each in (x, x0))
    if node.op_type == "Softmax":
        y, y0 = node.outputs[0], reference.nodes[node].outputs[0]
        dy = op.Mul(dy, _slope(op, op.Sub(x, logs), op.Sub(x0, logs0), y, y0, y))
    share = op.Mul(_slope(op, x, x0, e, e0, e), _slope(op, total, total0, logs, logs0, op.Reciprocal(total)))
    return [op.Sub(dy, op.Mul(share, op.ReduceSum(dy, axis, keepdims=1)))]


def _quotient(op: Ops, node: ir.Node, reference: _Reference, dy: ir.Value) -> Cotangents:
    """Δ(a / b) = Δa / b − a₀ Δb / b b₀.

    Not the middle of a · 1 / b, as a divisor of the reference may be next to nothing: the deviation of a blank.
    """
    a, b = operand(node, 0), operand(node, 1)
    a0, b0 = (reference.values.get(x, x) for x in (a, b))
    share = op.Div(dy, b)
    return [share, op.Neg(op.Mul(share, op.Div(a0, b0)))]


def _standardization(op: Ops, node: ir.Node, reference: _Reference, dy: ir.Value) -> Cotangents:
    """The quotient of what is centred, c, and its deviation, whose square is the mean of c²: Δ(c²) = (c + c₀) Δc."""
    x, scale = operand(node, 0), operand(node, 1)
    by_channel, centred = node.op_type == "InstanceNormalization", node.op_type != "RMSNormalization"
    places = list(range(2 if by_channel else node.attributes.get_int("axis", -1) % rank(x), rank(x)))
    axes, epsilon = op.constant(places), node.attributes.get_float("epsilon", 1e-5)

    def mean(values: ir.Value) -> ir.Value:
        return op.ReduceMean(values, axes, keepdims=1)

    def centre(values: ir.Value) -> ir.Value:
        return op.Sub(values, mean(values)) if centred else values

    c, c0 = centre(x), centre(reference.values[x])
    variance, variance0 = (op.Add(mean(op.Mul(each, each)), epsilon) for each in (c, c0))
    inverse, inverse0 = (op.Reciprocal(op.Sqrt(each)) for each in (variance, variance0))
    dz = op.Mul(dy, op.Unsqueeze(scale, op.constant([0, *places])) if by_channel else scale)
    cube = op.Mul(inverse, op.Mul(inverse, inverse))
    slope = _slope(op, variance, variance0, inverse, inverse0, op.Mul(cube, -0.5))
    return [centre(op.Add(op.Mul(dz, inverse), op.Mul(op.Mul(mean(op.Mul(dz, c0)), slope), op.Add(c, c0))))]


def _averaged(op: Ops, node: ir.Node, rule: Rule, reference: _Reference, dy: tuple[ir.Value, ...]) -> Cotangents:
    """The derivative, averaged along the line from the reference to the values."""
    points = _SEVERAL if node.op_type in _CURVED else _MIDDLE
    found = [
        [None if dx is None else op.Mul(dx, weight) if weight != 1 else dx for dx in rule.apply(op, between, *dy)]
        for between, weight in ((_between(op, node, reference, place), weight) for place, weight in points)
    ]
    return [None if terms[0] is None else op.total(terms) for terms in zip(*found, strict=True)]


def _between(op: Ops, node: ir.Node, reference: _Reference, place: float) -> ir.Node:
    """The node with inputs between those of the reference and its own."""

    def at(x: ir.Value | None) -> ir.Value | None:
        if x is None or x not in reference.values:
            return x
        start = reference.values[x]
        return op.Add(start, op.Mul(op.Sub(x, start), place))

    return twin(op, node, [at(x) for x in node.inputs])


def _extreme(op: Ops, node: ir.Node, rule: Rule, reference: _Reference, dy: ir.Value) -> Cotangents:
    """A maximum: a rise belongs to where it is, a fall to where that of the reference was; it is never both."""
    y, other = node.outputs[0], reference.nodes[node]
    y0 = other.outputs[0]
    further = getattr(op, _EXTREMES[node.op_type])(y, y0)
    own = rule.apply(op, node, op.Mul(dy, op.Sub(further, y0)))
    of_reference = rule.apply(op, other, op.Mul(dy, op.Sub(y, further)))
    found: list[ir.Value | None] = []
    for x, gain, loss in zip(node.inputs, own, of_reference, strict=False):
        if x is None or x not in reference.values or gain is None or loss is None:
            found.append(None)
        else:
            found.append(_slope(op, x, reference.values[x], gain, op.Neg(loss), 0.0))
    return found
