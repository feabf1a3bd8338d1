"""Any output or layer of a network as a score: its weighted sum, appended to the graph."""

import onnx
import onnx_ir as ir

from service.autodiff import Ops
from service.models.manifest import Scores
from service.networks.questions import SCORE, WEIGHTS, Quantity

_MOST = 1e9  # is taken off what is to be left out of a logarithm of a sum of exponentials


def weighted_value(model: onnx.ModelProto, quantity: Quantity, scores: Scores) -> onnx.ModelProto:
    """Append the weighted sum of a value.

    The new input is `WEIGHTS`, float32 of the shape (N, …) of the value, the new output `SCORE`, float32 (N,).

    Args:
        model: The network.
        quantity: The value, and what becomes of it first.
        scores: What makes probabilities of scores.
    """
    copy = ir.from_proto(model)
    graph = copy.graph
    value = ir.convenience.create_value_mapping(graph, include_subgraphs=False)[quantity.value]
    shape = graph.inputs[0].shape
    batch = shape[0] if shape is not None else "N"
    dims = value.shape.dims[1:] if value.shape is not None else (None,)
    sizes = [d if isinstance(d, int) else f"weights_{i}" for i, d in enumerate(dims)]
    weights = ir.val(WEIGHTS, ir.DataType.FLOAT, ir.Shape([batch, *sizes]))
    graph.inputs.append(weights)
    score = _score(Ops(graph, scope="objective"), value, weights, quantity, scores)
    score.shape = ir.Shape([batch])
    graph.outputs.append(score)
    return ir.to_proto(copy)


def _score(op: Ops, x: ir.Value, weights: ir.Value, quantity: Quantity, scores: Scores) -> ir.Value:
    """The score (N,)."""
    if quantity.transform == "probability":
        x = op.Sigmoid(x) if scores == "sigmoid" else op.Softmax(x, axis=1)
    x, w = (op.Reshape(each, op.constant([0, -1])) for each in (x, weights))
    axis = op.constant([1])
    if quantity.transform == "log_odds" and scores != "sigmoid":  # of a sigmoid they are the value itself
        of_chosen, of_others = (
            op.ReduceLogSumExp(op.Sub(x, op.Mul(left_out, _MOST)), axis, keepdims=0)
            for left_out in (op.Neg(op.Sub(w, 1)), w)
        )
        return op.Sub(of_chosen, of_others, _name=SCORE)
    total = op.ReduceSum(op.Mul(x, w), axis, keepdims=0)
    if quantity.transform != "cosine":
        return op.Identity(total, _name=SCORE)
    lengths = op.Mul(*(op.ReduceL2(each, axis, keepdims=0) for each in (x, w)))
    return op.Div(total, op.Add(lengths, 1e-12), _name=SCORE)
