"""Recurrent layers over sequences of a known length, written out step by step.

Inside, sequences are (T, N, …) and states (1, N, H), so that a step's slice of a sequence needs no reshaping.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from service.autodiff.errors import NotDifferentiable
from service.autodiff.lowering import lowers
from service.autodiff.ops import Ops
from service.autodiff.shapes import constant_value, known_dim, operand, optional_operand

_ACTIVATIONS = frozenset(["Relu", "Tanh", "Sigmoid", "Softsign", "Softplus"])


@dataclass(frozen=True)
class Layer:
    """One direction of a layer with G gates: weights of the input (G·H, I) and of the state (G·H, H), biases (G·H,)."""

    op: Ops
    node: ir.Node
    hidden: int
    of_input: ir.Value
    of_state: ir.Value
    biases: tuple[ir.Value, ir.Value] | None
    peepholes: ir.Value | None
    activations: Sequence[str]

    def activate(self, i: int, x: ir.Value) -> ir.Value:
        """Activation function ``i`` of the direction, after clipping where the node says so."""
        if "clip" in self.node.attributes:
            bound = self.node.attributes.get_float("clip", 0.0)
            x = self.op.Clip(x, self.op.constant(-bound, like=x), self.op.constant(bound, like=x))
        activated: ir.Value = getattr(self.op, self.activations[i])(x)
        return activated

    def weighted(self, x: ir.Value, weights: ir.Value, bias: ir.Value | None) -> ir.Value:
        """The product x · Wᵀ, plus b if there is one."""
        product = self.op.MatMul(x, self.op.Transpose(weights, perm=[1, 0]))
        return product if bias is None else self.op.Add(product, bias)

    def gates(self, x: ir.Value, count: int) -> Sequence[ir.Value]:
        """``x`` (1, N, count·H) or (count·H,) cut in sections."""
        return self.op.several("Split", count, x, self.op.constant([self.hidden] * count), axis=-1)


# From the layer, the weighted input of a step and the states before it to the states after it, the output first.
Step = Callable[[Layer, ir.Value, Sequence[ir.Value]], Sequence[ir.Value]]


def _rnn_step(layer: Layer, x: ir.Value, states: Sequence[ir.Value]) -> Sequence[ir.Value]:
    """H' = f(x + H·Rᵀ + b)."""
    bias = layer.biases[1] if layer.biases else None
    return [layer.activate(0, layer.op.Add(x, layer.weighted(states[0], layer.of_state, bias)))]


def _gru_step(layer: Layer, x: ir.Value, states: Sequence[ir.Value]) -> Sequence[ir.Value]:
    """H' = (1 − z) · c + z · H; the reset gate is applied before or after the linear map of the state."""
    op, h = layer.op, states[0]
    bias = layer.biases[1] if layer.biases else None
    z_in, r_in, c_in = layer.gates(x, 3)
    z_state, r_state, c_state = layer.gates(layer.weighted(h, layer.of_state, bias), 3)
    z, r = layer.activate(0, op.Add(z_in, z_state)), layer.activate(0, op.Add(r_in, r_state))
    if not layer.node.attributes.get_int("linear_before_reset", 0):
        weights = op.several("Split", 3, layer.of_state, op.constant([layer.hidden] * 3), axis=0)[2]
        own_bias = layer.gates(bias, 3)[2] if bias is not None else None
        recurrent = layer.weighted(op.Mul(r, h), weights, own_bias)
    else:
        recurrent = op.Mul(r, c_state)
    candidate = layer.activate(1, op.Add(c_in, recurrent))
    return [op.Add(op.Mul(op.Sub(op.constant(1, like=z), z), candidate), op.Mul(z, h))]


def _lstm_step(layer: Layer, x: ir.Value, states: Sequence[ir.Value]) -> Sequence[ir.Value]:
    """C' = f · C + i · c, H' = o · h(C'), with gates in the order input, output, forget, cell."""
    op, (h, c) = layer.op, states
    bias = layer.biases[1] if layer.biases else None
    i, o, f, cell = layer.gates(op.Add(x, layer.weighted(h, layer.of_state, bias)), 4)
    p_i, p_o, p_f = layer.gates(layer.peepholes, 3) if layer.peepholes is not None else (None, None, None)

    def gate(value: ir.Value, peephole: ir.Value | None, state: ir.Value) -> ir.Value:
        return layer.activate(0, value if peephole is None else op.Add(value, op.Mul(peephole, state)))

    i_gate = gate(i, p_i, c)
    coupled = layer.node.attributes.get_int("input_forget", 0)
    f_gate = op.Sub(op.constant(1, like=i_gate), i_gate) if coupled else gate(f, p_f, c)
    c_new = op.Add(op.Mul(f_gate, c), op.Mul(i_gate, layer.activate(1, cell)))
    return [op.Mul(gate(o, p_o, c_new), getattr(op, layer.activations[2])(c_new)), c_new]


@dataclass(frozen=True)
class _Kind:
    step: Step
    states: int
    activations: tuple[str, ...]


_KINDS = {
    "RNN": _Kind(_rnn_step, 1, ("Tanh",)),
    "GRU": _Kind(_gru_step, 1, ("Sigmoid", "Tanh")),
    "LSTM": _Kind(_lstm_step, 2, ("Sigmoid", "Tanh", "Tanh")),
}


@lowers(*_KINDS)
def unrolled(op: Ops, node: ir.Node) -> list[ir.Value]:
    """One step after the other, in one or both directions: all outputs, then the last states."""
    kind, x = _KINDS[node.op_type], operand(node, 0)
    batch_first = node.attributes.get_int("layout", 0)
    length = known_dim(x, 1 if batch_first else 0)
    _check_length(node, length)
    if batch_first:
        x = op.Transpose(x, perm=[1, 0, 2])
    names = ["forward", "reverse"]
    direction = node.attributes.get_string("direction", "forward")
    directions = names if direction == "bidirectional" else [direction]
    results = [
        _one_direction(op, node, kind, x, length or 0, i, name == "reverse") for i, name in enumerate(directions)
    ]
    one = op.constant([1])
    outputs = op.Concat(*(op.Unsqueeze(sequence, one) for sequence, _ in results), axis=1)  # (T, D, N, H)
    last = [op.Concat(*states, axis=0) for states in zip(*(states for _, states in results), strict=True)]
    if batch_first:
        outputs = op.Transpose(outputs, perm=[2, 0, 1, 3])
        last = [op.Transpose(state, perm=[1, 0, 2]) for state in last]
    return [outputs, *last]


def _check_length(node: ir.Node, length: int | None) -> None:
    if length is None:
        raise NotDifferentiable(f"the length of the sequence is not known (node {node.name!r})")
    lengths = optional_operand(node, 4)
    given = constant_value(lengths)
    if lengths is not None and (given is None or any(n != length for n in given.ravel())):
        raise NotDifferentiable(f"sequences of different lengths have no rule (node {node.name!r})")


def _one_direction(
    op: Ops, node: ir.Node, kind: _Kind, x: ir.Value, length: int, i: int, reverse: bool
) -> tuple[ir.Value, Sequence[ir.Value]]:
    """The outputs (T, N, H) and the last states, each (1, N, H), of direction ``i``."""
    layer = _layer(op, node, kind, i)
    weighted = layer.weighted(x, layer.of_input, layer.biases[0] if layer.biases else None)
    steps = list(op.several("Split", length, weighted, op.constant([1] * length), axis=0))
    states: Sequence[ir.Value] = [_initial_state(layer, x, 5 + s, i) for s in range(kind.states)]
    outputs = []
    for step in reversed(steps) if reverse else steps:
        states = kind.step(layer, step, states)
        outputs.append(states[0])
    return op.Concat(*(reversed(outputs) if reverse else outputs), axis=0), states


def _layer(op: Ops, node: ir.Node, kind: _Kind, i: int) -> Layer:
    inputs = [*node.inputs, *[None] * 8]
    activations = list(node.attributes.get_strings("activations", kind.activations * 2))
    mine = [name.capitalize() for name in activations[i * len(kind.activations) :][: len(kind.activations)]]
    hidden = known_dim(operand(node, 2), 2)
    if hidden is None or not _ACTIVATIONS.issuperset(mine):
        raise NotDifferentiable(f"{node.op_type} with the activations {mine} has no rule (node {node.name!r})")

    def own(value: ir.Value) -> ir.Value:
        return op.Squeeze(op.Slice(value, op.constant([i]), op.constant([i + 1]), op.constant([0])), op.constant([0]))

    bias, peepholes = (own(value) if value is not None else None for value in (inputs[3], inputs[7]))
    biases = op.several("Split", 2, bias, num_outputs=2, axis=0) if bias is not None else None
    return Layer(
        op=op,
        node=node,
        hidden=hidden,
        of_input=own(operand(node, 1)),
        of_state=own(operand(node, 2)),
        biases=(biases[0], biases[1]) if biases else None,
        peepholes=peepholes,
        activations=mine,
    )


def _initial_state(layer: Layer, x: ir.Value, i: int, direction: int) -> ir.Value:
    """(1, N, H): what the node is given, else zeros."""
    op, node = layer.op, layer.node
    given = optional_operand(node, i)
    if given is None:
        shape = op.Concat(op.constant([1]), op.Shape(x, start=1, end=2), op.constant([layer.hidden]), axis=0)
        return op.Expand(op.constant([0.0], like=x), shape)
    if node.attributes.get_int("layout", 0):
        given = op.Transpose(given, perm=[1, 0, 2])
    return op.Slice(given, op.constant([direction]), op.constant([direction + 1]), op.constant([0]))
