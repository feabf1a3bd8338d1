"""Objectives: nodes appended to a network that name one scalar per image, ready to be differentiated with it."""

import onnx
import onnx_ir as ir

from service.autodiff import Ops
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
    chosen.dtype = ir.DataType.INT64
    score = op.GatherElements(logits, chosen, axis=1)
    if manifest.logits_before_relu is not None:
        before = op.GatherElements(values[manifest.logits_before_relu], chosen, axis=1)
        score = op.Where(op.Equal(score, 0), before, score)
    for name, value in (("chosen", chosen), ("score", score)):
        output = op.Squeeze(value, axis, _name=name)
        output.shape = batch
        graph.outputs.append(output)
    return ir.to_proto(copy)
