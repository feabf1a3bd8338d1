"""Objectives: nodes appended to a network that compute one scalar per image, to be differentiated with it.

`class_score` appends the score of a class. A `Term` is a function of one layer or of the image, and `weighted_terms`
appends a weighted sum of terms.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from service.autodiff import Ops
from service.autodiff.shapes import constant_value
from service.models.manifest import Manifest
from service.networks.questions import CHOSEN, CLASS_ID, LEAST_COSINE, SCORE, TERMS, WEIGHTS, Term


def class_score(model: onnx.ModelProto, manifest: Manifest, one_channel: bool = True) -> onnx.ModelProto:
    """Append the score of one class per image.

    The new input is `CLASS_ID`, int64 (N,), `PREDICTED` for the class with the highest score. The new outputs are
    `CHOSEN`, int64 (N,), the class ids with `PREDICTED` resolved, and `SCORE`, float32 (N,).

    A network that ends in a ReLU can give a class the score 0 with a zero gradient. The score is then taken before that
    ReLU, if the manifest names that value.

    Args:
        model: The network.
        manifest: Names the logits.
        one_channel: Whether a convolutional head may be computed a second time for the chosen class alone, so that the
            gradient passes through one channel instead of all. It then does not pass through the layers of the head.
    """
    copy = ir.from_proto(model)
    graph = copy.graph
    values = ir.convenience.create_value_mapping(graph, include_subgraphs=False)
    shape = graph.inputs[0].shape
    batch = ir.Shape(shape.dims[:1]) if shape is not None else ir.Shape(["N"])
    class_id = ir.val(CLASS_ID, ir.DataType.INT64, batch)
    graph.inputs.append(class_id)

    op = Ops(graph, scope="objective")
    logits, axis = values[manifest.logits], op.constant([1])
    wanted = op.Unsqueeze(class_id, axis)
    chosen = op.Where(op.Less(wanted, 0), op.ArgMax(logits, axis=1, keepdims=1), wanted)
    names = [name for name in (manifest.logits, manifest.logits_before_relu) if name is not None]
    score_of = _ClassScore(op, chosen, one_channel)
    scores = [score_of(values[name]) for name in names]
    score = op.Where(op.Greater(scores[0], 0), *scores) if len(scores) == 2 else scores[0]
    for name, value in ((CHOSEN, chosen), (SCORE, score)):
        output = op.Squeeze(value, axis, _name=name)
        output.shape = batch
        graph.outputs.append(output)
    return ir.to_proto(copy)


def weighted_terms(model: onnx.ModelProto, terms: Sequence[Term]) -> onnx.ModelProto:
    """Append a weighted sum of terms.

    The new inputs are `WEIGHTS`, float32 (N, terms), and those of the terms (see `Term`). The new outputs are
    `TERMS`, float32 (N, terms), and `SCORE`, float32 (N,).
    """
    copy = ir.from_proto(model)
    graph = copy.graph
    values = ir.convenience.create_value_mapping(graph, include_subgraphs=False)
    shape = graph.inputs[0].shape
    batch = shape[0] if shape is not None else "N"
    op = Ops(graph, scope="objective")
    columns = [
        op.Unsqueeze(_term(op, graph, i, term, values[term.layer], batch), op.constant([1]))
        for i, term in enumerate(terms)
    ]
    table = op.Concat(*columns, axis=1, _name=TERMS)
    weights = ir.val(WEIGHTS, ir.DataType.FLOAT, ir.Shape([batch, len(terms)]))
    graph.inputs.append(weights)
    score = op.ReduceSum(op.Mul(weights, table), op.constant([1]), keepdims=0, _name=SCORE)
    table.shape, score.shape = ir.Shape([batch, len(terms)]), ir.Shape([batch])
    graph.outputs.extend([table, score])
    return ir.to_proto(copy)


def _term(op: Ops, graph: ir.Graph, i: int, term: Term, x: ir.Value, batch: Any) -> ir.Value:
    """The value (N,) of a term; ``x`` is its layer, (N, C, H, W)."""
    places = op.constant([1, 2, 3])
    if term.kind == "variation":
        return op.Neg(op.Add(_squared_differences(op, x, axis=2), _squared_differences(op, x, axis=3)))
    if term.kind == "energy":
        return op.Mul(op.ReduceMean(op.Mul(x, x), places, keepdims=0), 0.5)
    dims = x.shape.dims if x.shape is not None else ("N", None, None, None)
    if term.kind == "direction":
        return _along(op, x, _input(graph, f"{i}.direction", ir.DataType.FLOAT, [batch, dims[1]]))
    if term.kind in ("content", "caricature"):
        target = _input(graph, f"{i}.target", ir.DataType.FLOAT, [batch, dims[1], f"{i}.height", f"{i}.width"])
        if term.kind == "caricature":
            return _caricature(op, x, target, _input(graph, f"{i}.power", ir.DataType.FLOAT, [batch]))
        difference = op.Sub(x, target)
    else:
        target = _input(graph, f"{i}.target", ir.DataType.FLOAT, [batch, dims[1], dims[1]])
        if term.kind == "likeness":
            return _cosine_of(op, gram(op, x), target)
        difference = op.Unsqueeze(op.Sub(gram(op, x), target), op.constant([3]))
    return op.Neg(op.ReduceSum(op.Mul(difference, difference), places, keepdims=0))


def _along(op: Ops, x: ir.Value, weights: ir.Value) -> ir.Value:
    """The weighted sum (N,) of the means of the channels. weights: (N, C)."""
    places = op.constant([2, 3])
    means = op.ReduceMean(x, places, keepdims=0)
    if (before := before_relu(op, x)) is not None:
        asleep = op.And(op.Greater(weights, 0.0), op.LessOrEqual(means, 0.0))
        means = op.Where(asleep, op.ReduceMean(before, places, keepdims=0), means)
    return op.ReduceSum(op.Mul(weights, means), op.constant([1]), keepdims=0)


def _caricature(op: Ops, x: ir.Value, target: ir.Value, power: ir.Value) -> ir.Value:
    """The dot product (N,) of the layer with the target, times a power (N,) of their cosine."""
    places = op.constant([1, 2, 3])
    dot, own, other = (
        op.ReduceSum(op.Mul(*pair), places, keepdims=0) for pair in ((x, target), (x, x), (target, target))
    )
    cosine = op.Div(dot, op.Sqrt(op.Add(op.Mul(own, other), np.finfo(np.float32).tiny)))
    return op.Mul(dot, op.Pow(op.Max(cosine, LEAST_COSINE), power))


def _cosine_of(op: Ops, matrix: ir.Value, target: ir.Value) -> ir.Value:
    """The dot product (N,) of a matrix (N, C, C), at length 1, with a target."""
    axes = op.constant([1, 2])
    square = op.ReduceSum(op.Mul(matrix, matrix), axes, keepdims=0)
    dot = op.ReduceSum(op.Mul(matrix, target), axes, keepdims=0)
    return op.Div(dot, op.Sqrt(op.Add(square, np.finfo(np.float32).tiny)))


def before_relu(op: Ops, x: ir.Value) -> ir.Value | None:
    """The value before a Relu, or before several Relus whose results are concatenated; None if there is no Relu."""
    node = x.producer()
    if node is not None and node.op_type == "Relu":
        return node.inputs[0]
    if node is None or node.op_type != "Concat":
        return None
    parts = [before_relu(op, part) for part in node.inputs if part is not None]
    return op.Concat(*parts, axis=node.attributes.get_int("axis")) if all(part is not None for part in parts) else None


def _input(
    graph: ir.Graph, name: str, dtype: ir.DataType, dims: Sequence[int | str | ir.SymbolicDim | None]
) -> ir.Value:
    value = ir.val(name, dtype, ir.Shape(dims))
    graph.inputs.append(value)
    return value


def gram(op: Ops, x: ir.Value) -> ir.Value:
    """The Gram matrix (N, C, C) of (N, C, H, W), divided by C·H·W."""
    columns = op.Reshape(x, op.constant([0, 0, -1]))
    size = op.CastLike(op.Size(op.Gather(columns, op.constant(0), axis=0)), x)
    return op.Div(op.MatMul(columns, op.Transpose(columns, perm=[0, 2, 1])), size)


def _squared_differences(op: Ops, x: ir.Value, axis: int) -> ir.Value:
    """The sum (N,) of the squared differences of neighbours along the axis."""
    end, axes = op.constant([np.iinfo(np.int64).max]), op.constant([axis])
    after = op.Slice(x, op.constant([1]), end, axes)
    before = op.Slice(x, op.constant([0]), op.constant([-1]), axes)
    difference = op.Sub(after, before)
    return op.ReduceSum(op.Mul(difference, difference), op.constant([1, 2, 3]), keepdims=0)


class _ClassScore:
    """Maps logits (N, classes) to the logit (N, 1) of the chosen class; computes a head that logits share only once."""

    def __init__(self, op: Ops, chosen: ir.Value, one_channel: bool) -> None:
        self._op = op
        self._chosen = chosen
        self._one_channel = one_channel
        self._channels: dict[ir.Node, ir.Value] = {}

    def __call__(self, logits: ir.Value) -> ir.Value:
        head = _convolutional_head(logits) if self._one_channel else None
        if head is None:
            return self._op.GatherElements(logits, self._chosen, axis=1)
        convolution, kernel, relu = head
        if convolution not in self._channels:
            self._channels[convolution] = self._channel(convolution, kernel)
        channel = self._channels[convolution]
        return self._op.ReduceMean(self._op.Relu(channel) if relu else channel, self._op.constant([2]), keepdims=0)

    def _channel(self, convolution: ir.Node, kernel: npt.NDArray[np.floating]) -> ir.Value:
        """The channel (N, 1, H·W) of the chosen class before the average."""
        op, features, bias = self._op, convolution.inputs[0], convolution.inputs[2]
        rows = op.constant(kernel[:, :, 0, 0])
        weights = op.Gather(rows, self._chosen)  # (N, 1, C)
        columns = op.Reshape(features, op.constant([0, kernel.shape[1], -1]))
        return op.Add(op.MatMul(weights, columns), op.Unsqueeze(op.Gather(bias, self._chosen), op.constant([2])))


def _convolutional_head(logits: ir.Value) -> tuple[ir.Node, npt.NDArray[np.floating], bool] | None:
    """The 1x1 convolution before ``Flatten(GlobalAveragePool(…))``, its kernel, and whether a Relu lies between."""
    pool = _producer(logits.producer(), "Flatten", "Reshape", "Squeeze")
    node = _producer(pool, "GlobalAveragePool")
    relu = node is not None and node.op_type == "Relu"
    if relu:
        node = _producer(node, "Relu")
    if node is None or node.op_type != "Conv" or len(node.inputs) < 3:
        return None
    kernel = constant_value(node.inputs[1])
    plain = set(node.attributes.get_ints("strides", [1])) == {1} and not any(node.attributes.get_ints("pads", [0]))
    if kernel is None or kernel.shape[2:] != (1, 1) or node.attributes.get_int("group", 1) != 1 or not plain:
        return None
    return node, kernel, relu


def _producer(node: ir.Node | None, *op_types: str) -> ir.Node | None:
    """The node that produces the first input of the node, if the node is of one of the types."""
    if node is None or node.op_type not in op_types or node.inputs[0] is None:
        return None
    return node.inputs[0].producer()
