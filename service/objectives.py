"""Objectives: nodes appended to a network that name one scalar per image, ready to be differentiated with it."""

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from service.autodiff import Ops
from service.autodiff.shapes import constant_value
from service.models.manifest import Manifest

PREDICTED = -1  # as a class id: the class with the highest score


def class_score(model: onnx.ModelProto, manifest: Manifest) -> onnx.ModelProto:
    """Append the score of one class per image.

    New input ``class_id``: int64 (N,), `PREDICTED` for the highest score. New outputs: ``chosen``: int64 (N,), the class ids after that,
    and ``score``: float32 (N,). A network that ends in a ReLU can give a class the score 0 with a zero gradient; then the score is taken
    before that ReLU, if the manifest names the value.
    """
    copy = ir.from_proto(model)
    graph = copy.graph
    values = {v.name: v for node in graph for v in node.outputs}
    shape = graph.inputs[0].shape
    batch = ir.Shape(shape.dims[:1]) if shape is not None else ir.Shape(["N"])
    class_id = ir.val("class_id", ir.DataType.INT64, batch)
    graph.inputs.append(class_id)

    op = Ops(graph, scope="objective")
    logits, axis = values[manifest.logits], op.constant([1])
    wanted = op.Unsqueeze(class_id, axis)
    chosen = op.Where(op.Less(wanted, 0), op.ArgMax(logits, axis=1, keepdims=1), wanted)
    names = [name for name in (manifest.logits, manifest.logits_before_relu) if name is not None]
    scores = [_pick(op, values[name], chosen) for name in names]
    score = op.Where(op.Greater(scores[0], 0), *scores) if len(scores) == 2 else scores[0]
    for name, value in (("chosen", chosen), ("score", score)):
        output = op.Squeeze(value, axis, _name=name)
        output.shape = batch
        graph.outputs.append(output)
    return ir.to_proto(copy)


def _pick(op: Ops, logits: ir.Value, chosen: ir.Value) -> ir.Value:
    """The logit of the chosen class: (N, 1).

    Of a head that ends in a 1x1 convolution and a global average only the chosen channel is computed once more, so that the gradient
    passes through one channel instead of all.
    """
    head = _convolutional_head(logits)
    if head is None:
        return op.GatherElements(logits, chosen, axis=1)
    convolution, kernel, relu = head
    features, bias = convolution.inputs[0], convolution.inputs[2]
    rows = op.constant(kernel[:, :, 0, 0])
    weights = op.Gather(rows, chosen)  # (N, 1, C)
    columns = op.Reshape(features, op.constant([0, kernel.shape[1], -1]))
    channel = op.Add(op.MatMul(weights, columns), op.Unsqueeze(op.Gather(bias, chosen), op.constant([2])))  # (N, 1, H·W)
    return op.ReduceMean(op.Relu(channel) if relu else channel, op.constant([2]), keepdims=0)


def _convolutional_head(logits: ir.Value) -> tuple[ir.Node, npt.NDArray[np.floating], bool] | None:
    """The 1x1 convolution before ``Flatten(GlobalAveragePool([Relu](…)))``, its kernel, and whether there is the Relu."""
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
    """What makes the input of the node, if the node is of one of the types."""
    if node is None or node.op_type not in op_types or node.inputs[0] is None:
        return None
    return node.inputs[0].producer()
