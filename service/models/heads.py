"""Finding the scores of the classes among the outputs of a graph, and what is made of them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from service.autodiff.shapes import constant_value
from service.models.adapt import score_count
from service.models.manifest import Detection, Scores

_PASSING = frozenset("Identity Flatten Reshape Squeeze Unsqueeze Cast Dropout QuantizeLinear DequantizeLinear".split())
_CHOOSING = frozenset(["ArgMax", "TopK", "Hardmax"])  # what is made of scores for those who want an answer


MOST_CLASSES = 4096  # of a segmentation: what is more is taken for a side


@dataclass(frozen=True)
class Head:
    """Scores.

    guess: why ``scores`` is what it is, where the graph does not say; empty where it does. is_dense: whether there is
    a score for each class at each place. detection: where a detector has its boxes.
    """

    logits: ir.Value
    classes: int
    scores: Scores
    guess: str
    is_dense: bool = False
    detection: Detection | None = None


def heads_of(outputs: Iterable[ir.Value]) -> dict[str, Head]:
    """The heads by the names of their outputs, those with several classes first."""
    found = {str(output.name): head for output in outputs if (head := _head(output)) is not None}
    return dict(sorted(found.items(), key=lambda item: item[1].classes == 1))


def dense_heads_of(outputs: Iterable[ir.Value]) -> dict[str, Head]:
    """The heads (N, classes, height, width), or with the classes last, by the names of their outputs."""
    return {str(output.name): head for output in outputs if (head := _dense_head(output)) is not None}


def _dense_head(output: ir.Value) -> Head | None:
    value, scores = before_activation(output)
    dims = list(value.shape or ())
    if len(dims) != 4 or value.dtype not in (None, ir.DataType.FLOAT):
        return None
    is_last = dims[3] != dims[1] == dims[2] or not isinstance(dims[1], int)  # two equal sides are height and width
    classes = dims[3] if is_last else dims[1]
    if not isinstance(classes, int) or classes > MOST_CLASSES:
        return None
    if scores is not None:
        return Head(value, classes, scores, "", is_dense=True)
    usual: Scores = "sigmoid" if classes == 1 else "softmax"
    return Head(value, classes, usual, "the graph ends in the scores; or `sigmoid`, if classes overlap", is_dense=True)


def _head(output: ir.Value) -> Head | None:
    value, scores = before_activation(output)
    classes = score_count(value) or score_count(output)
    if classes is None or (score_count(output) is None and output.dtype == ir.DataType.FLOAT):
        return None
    if scores is not None:
        return Head(value, classes, scores, "")
    if classes == 1:
        return Head(value, 1, "none", "one number an image that the graph makes no probability of; or `sigmoid`")
    return Head(value, classes, "softmax", "the graph ends in the scores; or `sigmoid`, if several classes can apply")


def before_activation(output: ir.Value) -> tuple[ir.Value, Scores | None]:
    """The input of a final softmax or sigmoid and which it is; the output itself and None if there is neither."""
    value = output
    while (node := value.producer()) is not None and node.inputs and node.inputs[0] is not None:
        if node.op_type in ("Softmax", "LogSoftmax"):
            return node.inputs[0], "softmax"
        if node.op_type == "Sigmoid":
            return node.inputs[0], "sigmoid"
        if (logits := _written_out_softmax(node)) is not None:
            return logits, "softmax"
        value = node.inputs[0]
        if _chooses(node):
            output = value
        elif node.op_type not in _PASSING:
            break
    return output, None


def _chooses(node: ir.Node) -> bool:
    """Whether it makes an answer of scores, the best class or its score. A pool over places does not."""
    if node.op_type != "ReduceMax":
        return node.op_type in _CHOOSING
    axes = constant_value(node.inputs[1]) if len(node.inputs) > 1 else node.attributes.get_ints("axes")
    return (axes is None or np.size(axes) == 1) and score_count(node.outputs[0]) in (None, 1)


def _written_out_softmax(node: ir.Node) -> ir.Value | None:
    """What goes into exp(x − max) / Σ exp(x − max), which older exporters write; None if it is something else."""
    exponential = node.inputs[0].producer() if node.op_type == "Div" and node.inputs[0] is not None else None
    total = node.inputs[1].producer() if node.op_type == "Div" and node.inputs[1] is not None else None
    if exponential is None or total is None or (exponential.op_type, total.op_type) != ("Exp", "ReduceSum"):
        return None
    if total.inputs[0] is not exponential.outputs[0]:
        return None
    x = exponential.inputs[0]
    shift = x.producer() if x is not None else None
    is_shifted = shift is not None and shift.op_type == "Sub" and shift.inputs[1] is not None
    largest = shift.inputs[1].producer() if shift is not None and is_shifted and shift.inputs[1] is not None else None
    return shift.inputs[0] if shift is not None and largest is not None and largest.op_type == "ReduceMax" else x
