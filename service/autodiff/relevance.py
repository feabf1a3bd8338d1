"""Layer-wise relevance propagation as another set of rules: relevance R flows back instead of derivatives.

What passes through the walk is the multiplier c = R / x, so that R = x · c at any value. In this form a layer without a
stabilizer keeps its derivative (Ancona et al. 2018, "Towards better understanding of gradient-based attribution
methods", section 3.2), sums and reshapes need no rule, and whatever has no rule of its own is linearized at its input.
Only what is not linear is treated otherwise, as in Achtibat et al. 2024, "AttnLRP", section 3: an activation hands on
all that it gets, factors share it equally, softmax keeps its derivative, and divisors and deviations are constants.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from service.autodiff.backward import Adjusted, Path
from service.autodiff.gates import ACTIVATIONS, is_gate
from service.autodiff.normalization import standardized
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, Rule
from service.autodiff.shapes import constant_value, operand, optional_operand, rank
from service.autodiff.twins import twin

STABILIZER = 1e-6  # added to denominators, away from zero

_CONVOLUTIONS = ("Conv", "ConvTranspose")
_PRODUCTS = ("Gemm", "MatMul")
_NON_NEGATIVE = frozenset("Relu Sigmoid HardSigmoid Softmax Softplus Exp Abs Sqrt".split())
_SIGN_KEPT = frozenset(
    "MaxPool AveragePool GlobalAveragePool GlobalMaxPool Concat Reshape Flatten Transpose Identity Dropout Squeeze "
    "Unsqueeze Slice Split Gather ReduceMean ReduceSum ReduceMax Add".split()
)

LayerRule = Callable[[Ops, ir.Node, Rule, ir.Value], Cotangents]


@dataclass(frozen=True)
class Box:
    """The layer that reads the value ``at`` (N, C, H, W), each channel of which lies from ``low`` to ``high``, (C,)."""

    at: str
    low: npt.NDArray[np.floating[Any]]
    high: npt.NDArray[np.floating[Any]]


def relevance(convolutions: LayerRule, dense: LayerRule, box: Box | None = None) -> Adjusted:
    """Rules that propagate relevance, for `gradient_model`.

    Args:
        convolutions: The rule of convolutions.
        dense: The rule of products with constant matrices.
        box: The layer that sees pixels, to which the z^B rule applies; None to treat it like the others.
    """

    def adjusted(op: Ops, path: Path, rules: Mapping[str, Rule]) -> dict[str, Rule]:  # noqa: ARG001 - one signature
        shared = _shared(path)
        layers = _OTHERS | dict.fromkeys(("Mul", "Einsum"), shared)
        layers |= dict.fromkeys(_CONVOLUTIONS, _boxed(convolutions, box))
        layers |= dict.fromkeys(_PRODUCTS, _product(_boxed(dense, box), shared))
        found = dict.fromkeys([*ACTIVATIONS, "LRN"], Rule(_activation))
        return {**rules, **found, **{name: _with(rules[name], layer) for name, layer in layers.items()}}

    return adjusted


def epsilon_rule(epsilon: float) -> LayerRule:
    """LRP-ε, LRP-0 for ε = 0 (Bach et al. 2015, section 2.6, equation 58): R / (z + ε sign z) instead of R / z."""

    def apply(op: Ops, node: ir.Node, rule: Rule, dy: ir.Value) -> Cotangents:
        y = node.outputs[0]
        return rule.apply(op, node, op.Mul(dy, op.Div(y, stable(op, y, epsilon))) if epsilon else dy)

    return apply


def gamma_rule(gamma: float) -> LayerRule:
    """LRP-γ (Montavon et al. 2019, section 10.2.1), for inputs of both signs as in Andéol et al. 2021, appendix A.

    Weights of the sign of the output count 1 + γ times.
    """

    def parts(op: Ops, w: ir.Value) -> tuple[ir.Value, ir.Value]:
        positive = op.Relu(w)
        return op.Add(w, op.Mul(positive, gamma)), op.Add(w, op.Mul(op.Sub(w, positive), gamma))

    def shares(op: Ops, y: ir.Value, r: ir.Value, above: ir.Value, below: ir.Value) -> list[ir.Value | None]:
        nothing = op.constant(0, like=r)
        return [
            op.Where(op.Greater(y, 0), op.Div(r, stable(op, above)), nothing),
            op.Where(op.Less(y, 0), op.Div(r, stable(op, below)), nothing),
        ]

    return _two_sided(parts, shares)


def alpha_beta_rule(alpha: float, biased: bool = True) -> LayerRule:
    """LRP-αβ with β = α − 1 (Bach et al. 2015, section 2.6, equation 60).

    With α = 1 it is z⁺ (Montavon et al. 2017, section 5), and without biases also excitation backpropagation (Zhang et
    al. 2016, "Top-down Neural Attention", section 3.2).
    """

    def parts(op: Ops, w: ir.Value) -> tuple[ir.Value, ir.Value]:
        positive = op.Relu(w)
        return positive, op.Sub(w, positive)

    def shares(op: Ops, _: ir.Value, r: ir.Value, above: ir.Value, below: ir.Value) -> list[ir.Value | None]:
        lower = op.Mul(op.Div(r, stable(op, below)), 1 - alpha) if alpha != 1 else None
        return [op.Mul(op.Div(r, stable(op, above)), alpha), lower]

    return _two_sided(parts, shares, biased)


def stable(op: Ops, z: ir.Value, epsilon: float = STABILIZER) -> ir.Value:
    """Z moved away from zero by ``epsilon``."""
    return op.Add(z, op.Where(op.Less(z, 0), op.constant(-epsilon, like=z), op.constant(epsilon, like=z)))


class _Twin:
    """The same layer with another input and other weights."""

    def __init__(self, op: Ops, node: ir.Node, rule: Rule, x: ir.Value, w: ir.Value, bias: ir.Value | None) -> None:
        self._op, self._rule = op, rule
        self._node = twin(op, node, [x, w] if bias is None else [x, w, bias])
        self.y = self._node.outputs[0]

    def pull(self, dy: ir.Value) -> ir.Value:
        """The cotangent of the input."""
        dx = self._rule.apply(self._op, self._node, dy)[0]
        assert dx is not None
        return dx


def _two_sided(
    parts: Callable[[Ops, ir.Value], tuple[ir.Value, ir.Value]],
    shares: Callable[[Ops, ir.Value, ir.Value, ir.Value, ir.Value], list[ir.Value | None]],
    biased: bool = True,
) -> LayerRule:
    """A rule that treats contributions x·w above and below zero differently.

    Args:
        parts: What stands for the weights in contributions above zero of a positive input, and in those below.
        shares: From output, relevance, and the sums of the contributions above and below, what flows back to each.
        biased: Whether biases are contributions.
    """

    def apply(op: Ops, node: ir.Node, rule: Rule, dy: ir.Value) -> Cotangents:
        x, (p, n), y = operand(node, 0), parts(op, operand(node, 1)), node.outputs[0]
        bias = optional_operand(node, 2) if biased else None
        bias_p, bias_n = parts(op, bias) if bias is not None else (None, None)
        signed = not _is_non_negative(x)
        positive = op.Relu(x) if signed else x
        up, down = _Twin(op, node, rule, positive, p, bias_p), _Twin(op, node, rule, positive, n, bias_n)
        above, below = up.y, down.y
        if signed:
            negative = op.Sub(x, positive)
            above = op.Add(above, _Twin(op, node, rule, negative, n, None).y)
            below = op.Add(below, _Twin(op, node, rule, negative, p, None).y)
        first, second = shares(op, y, op.Mul(dy, y), above, below)

        def pulled(one: _Twin, other: _Twin) -> ir.Value:
            return op.total([twin.pull(s) for twin, s in ((one, first), (other, second)) if s is not None])

        if not signed:
            return [pulled(up, down)]
        return [op.Where(op.Less(x, 0), pulled(down, up), pulled(up, down))]

    return apply


def _boxed(otherwise: LayerRule, box: Box | None) -> LayerRule:
    """The z^B rule for the layer that sees pixels (Montavon et al. 2017, section 5.2), another one for the others.

    R = Σ (x·w − l·w⁺ − h·w⁻) / Σ(…) · R, with the least and the greatest value l and h of each channel.
    """

    def apply(op: Ops, node: ir.Node, rule: Rule, dy: ir.Value) -> Cotangents:
        x, w = operand(node, 0), operand(node, 1)
        if box is None or x.name != box.at:
            return otherwise(op, node, rule, dy)
        positive = op.Relu(w)
        ends = [op.Add(op.Mul(x, 0), op.constant(end[:, None, None], like=x)) for end in (box.low, box.high)]
        inputs, weights = [x, *ends], [w, positive, op.Sub(w, positive)]
        twins = [_Twin(op, node, rule, each, weight, None) for each, weight in zip(inputs, weights, strict=True)]
        whole, low, high = (twin.y for twin in twins)
        share = op.Div(op.Mul(dy, node.outputs[0]), stable(op, op.Sub(op.Sub(whole, low), high)))
        of_x, of_low, of_high = (op.Mul(each, twin.pull(share)) for each, twin in zip(inputs, twins, strict=True))
        return [op.Div(op.Sub(op.Sub(of_x, of_low), of_high), stable(op, x))]

    return apply


def _with(rule: Rule, layer: LayerRule) -> Rule:
    """The rule of a layer in the place of that of its derivative."""
    return replace(rule, apply=lambda op, node, dy: layer(op, node, rule, dy))


def _product(layer: LayerRule, shared: LayerRule) -> LayerRule:
    """The rule of products of matrices: that of a layer where the second factor is constant, else equal shares."""

    def apply(op: Ops, node: ir.Node, rule: Rule, dy: ir.Value) -> Cotangents:
        weights = constant_value(node.inputs[1])
        is_layer = weights is not None and weights.ndim == 2 and rank(operand(node, 0)) > 1
        return (layer if is_layer else shared)(op, node, rule, dy)

    return apply


def _activation(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """All relevance is handed on: c · y / x. Where that is the derivative, as for Relu, no rule is needed."""
    return [op.Mul(dy, op.Div(node.outputs[0], stable(op, operand(node, 0))))]


def _shared(path: Path) -> LayerRule:
    """Each of two factors gets half (AttnLRP, section 3.3.2), or all if the other one is given or a gate.

    A gate is a reciprocal, or what is computed from the other factor place by place, as in x · sigmoid(x).
    """

    def apply(op: Ops, node: ir.Node, rule: Rule, dy: ir.Value) -> Cotangents:
        a, b = operand(node, 0), operand(node, 1)
        if a not in path.values or b not in path.values:
            return rule.apply(op, node, dy)
        gates = [is_gate(a, b), is_gate(b, a)]
        if any(gates):
            return [None if gate else d for d, gate in zip(rule.apply(op, node, dy), gates, strict=True)]
        return rule.apply(op, node, op.Mul(dy, 0.5))

    return apply


def _quotient(op: Ops, node: ir.Node, rule: Rule, dy: ir.Value) -> Cotangents:
    """The divisor is a constant."""
    return [rule.apply(op, node, dy)[0], None]


def _standardization(op: Ops, node: ir.Node, rule: Rule, dy: ir.Value) -> Cotangents:  # noqa: ARG001
    """The deviation is a constant: dx = (dz − mean dz) / σ, without the mean for what is not centred."""
    x, scale = operand(node, 0), operand(node, 1)
    by_channel = node.op_type == "InstanceNormalization"
    places = list(range(2 if by_channel else node.attributes.get_int("axis", -1) % rank(x), rank(x)))
    axes, epsilon = op.constant(places), node.attributes.get_float("epsilon", 1e-5)
    if by_channel:
        scale = op.Unsqueeze(scale, op.constant([0, *places]))
    dz = op.Mul(dy, scale)
    if node.op_type == "RMSNormalization":
        return [op.Div(dz, op.Sqrt(op.Add(op.ReduceMean(op.Mul(x, x), axes, keepdims=1), epsilon)))]
    _, inverse = standardized(op, x, axes, epsilon)
    return [op.Mul(op.Sub(dz, op.ReduceMean(dz, axes, keepdims=1)), inverse)]


def _nothing(op: Ops, node: ir.Node, rule: Rule, dy: ir.Value) -> Cotangents:  # noqa: ARG001 - rules share one signature
    """A divisor is a constant."""
    return [None]


_OTHERS: dict[str, LayerRule] = {
    "Div": _quotient,
    "Reciprocal": _nothing,
    "LayerNormalization": _standardization,
    "InstanceNormalization": _standardization,
    "RMSNormalization": _standardization,
}


def _is_non_negative(x: ir.Value) -> bool:
    """Whether the value has no negative elements, as far as the operators before it tell."""
    waiting = [x]
    while waiting:
        node = waiting.pop().producer()
        if node is None:
            return False
        if node.op_type in _NON_NEGATIVE:
            continue
        if node.op_type not in _SIGN_KEPT:
            return False
        waiting += [value for value in node.inputs[: None if node.op_type in ("Concat", "Add") else 1] if value]
    return True
