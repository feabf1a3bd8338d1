"""Any output or layer of a network as a score: its weighted sum, appended to the graph."""

from collections.abc import Mapping

import onnx
import onnx_ir as ir

from service.autodiff import Ops
from service.models.corners import COORDINATES, corners_of
from service.models.manifest import Manifest
from service.networks.objectives import before_relu
from service.networks.questions import SCORE, WEIGHTS, Quantity

_MOST = 1e9  # is taken off what is to be left out of a logarithm of a sum of exponentials
_LEAST = 1e-12  # of what is divided by


def weighted_value(model: onnx.ModelProto, quantity: Quantity, manifest: Manifest) -> onnx.ModelProto:
    """Append the weighted sum of a value.

    The new input is `WEIGHTS`, float32 of the shape (N, …) of the value, the new output `SCORE`, float32 (N,). For a
    ``match`` the weights are (N, 4 + classes).

    Args:
        model: The network.
        quantity: The value, and what becomes of it first.
        manifest: What makes probabilities of scores, and how boxes are told.
    """
    copy = ir.from_proto(model)
    graph = copy.graph
    values = ir.convenience.create_value_mapping(graph, include_subgraphs=False)
    value = values[quantity.value]
    shape = graph.inputs[0].shape
    batch = shape[0] if shape is not None else "N"
    weights = ir.val(WEIGHTS, ir.DataType.FLOAT, ir.Shape([batch, *_sizes(value, quantity, manifest)]))
    graph.inputs.append(weights)
    op = Ops(graph, scope="objective")
    make = _match if quantity.transform == "match" else _score
    score = make(op, values, weights, quantity, manifest)
    score.shape = ir.Shape([batch])
    graph.outputs.append(score)
    return ir.to_proto(copy)


def _sizes(value: ir.Value, quantity: Quantity, manifest: Manifest) -> list[int | str | None]:
    """The sizes of the weights of one image."""
    if quantity.transform == "match":
        return [COORDINATES + len(manifest.labels)]
    dims = value.shape.dims[1:] if value.shape is not None else (None,)
    return [d if isinstance(d, int) else f"weights_{i}" for i, d in enumerate(dims)]


def _score(
    op: Ops, values: Mapping[str, ir.Value], weights: ir.Value, quantity: Quantity, manifest: Manifest
) -> ir.Value:
    """The score (N,)."""
    x = values[quantity.value]
    if quantity.transform == "probability":
        x = _probabilities(op, x, manifest, axis=1)
    before = _before_relu(op, x, values, manifest) if quantity.wakes else None
    x, w = (op.Reshape(each, op.constant([0, -1])) for each in (x, weights))
    axis = op.constant([1])
    if quantity.transform == "log_odds" and manifest.scores != "sigmoid":  # of a sigmoid they are the value itself
        of_chosen, of_others = (
            op.ReduceLogSumExp(op.Sub(x, op.Mul(left_out, _MOST)), axis, keepdims=0)
            for left_out in (op.Neg(op.Sub(w, 1)), w)
        )
        return op.Sub(of_chosen, of_others, _name=SCORE)
    total = op.ReduceSum(op.Mul(x, w), axis, keepdims=0)
    if before is not None:
        asleep = op.ReduceSum(op.Mul(op.Reshape(before, op.constant([0, -1])), w), axis, keepdims=0)
        total = op.Where(op.Equal(total, 0.0), asleep, total)
    if quantity.transform != "cosine":
        return op.Identity(total, _name=SCORE)
    lengths = op.Mul(*(op.ReduceL2(each, axis, keepdims=0) for each in (x, w)))
    return op.Div(total, op.Add(lengths, _LEAST), _name=SCORE)


def _before_relu(op: Ops, x: ir.Value, values: Mapping[str, ir.Value], manifest: Manifest) -> ir.Value | None:
    if x.name == manifest.logits and manifest.logits_before_relu is not None:
        return values[manifest.logits_before_relu]
    return before_relu(op, x)


def _probabilities(op: Ops, x: ir.Value, manifest: Manifest, axis: int) -> ir.Value:
    if manifest.scores == "none":
        return x
    return op.Sigmoid(x) if manifest.scores == "sigmoid" else op.Softmax(x, axis=axis)


def _match(
    op: Ops, values: Mapping[str, ir.Value], weights: ir.Value, quantity: Quantity, manifest: Manifest
) -> ir.Value:
    """How much the box that is most like a detection is like it: (N,), from 0 to 1.

    The product of the intersection over union, the cosine of the probabilities of the classes, and the largest of these
    (Petsiuk et al. 2021, "Black-box Explanation of Object Detectors via Saliency Maps", section 3.2, equation 4, where
    the last is how likely it is that the box holds anything).
    """
    assert manifest.detection is not None
    assert quantity.boxes is not None
    classes, last = len(manifest.labels), op.constant([2])
    wanted = op.Unsqueeze(weights, op.constant([1]))  # (N, 1, 4 + classes)
    corners = op.MatMul(values[quantity.boxes], op.constant(corners_of(manifest.detection)))
    found = _probabilities(op, values[quantity.value], manifest, axis=2)
    found = op.Slice(found, op.constant([0]), op.constant([classes]), last)  # without that of nothing
    box = op.Slice(wanted, op.constant([0]), op.constant([COORDINATES]), last)
    other = op.Slice(wanted, op.constant([COORDINATES]), op.constant([COORDINATES + classes]), last)
    lengths = op.Mul(*(op.ReduceL2(each, last, keepdims=0) for each in (found, other)))
    cosine = op.Div(op.ReduceSum(op.Mul(found, other), last, keepdims=0), op.Add(lengths, _LEAST))
    alike = op.Mul(op.Mul(_overlap(op, corners, box), cosine), op.ReduceMax(found, last, keepdims=0))
    return op.ReduceMax(alike, op.constant([1]), keepdims=0, _name=SCORE)


def _overlap(op: Ops, one: ir.Value, other: ir.Value) -> ir.Value:
    """The intersection over union (N, boxes) of boxes (N, boxes, 4) and (N, 1, 4): left, upper, right, lower."""
    last, half = op.constant([2]), COORDINATES // 2

    def low_and_high(box: ir.Value) -> tuple[ir.Value, ir.Value]:
        edges = [op.constant([edge]) for edge in (0, half, COORDINATES)]
        return op.Slice(box, edges[0], edges[1], last), op.Slice(box, edges[1], edges[2], last)

    def area(low: ir.Value, high: ir.Value) -> ir.Value:
        return op.ReduceProd(op.Relu(op.Sub(high, low)), last, keepdims=0)

    (low, high), (other_low, other_high) = low_and_high(one), low_and_high(other)
    common = area(op.Max(low, other_low), op.Min(high, other_high))
    union = op.Sub(op.Add(area(low, high), area(other_low, other_high)), common)
    return op.Div(common, op.Max(union, _LEAST))
