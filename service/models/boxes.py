"""The best score of each class of a detector, appended to its graph."""

import onnx_ir as ir

from service.autodiff import Ops
from service.errors import ModelError
from service.models.corners import COORDINATES
from service.models.manifest import Detection, Manifest


def expose_detections(graph: ir.Graph, values: dict[str | None, ir.Value], manifest: Manifest) -> list[ir.Value]:
    """Append the best score (N, classes) of each class under the name of the logits; return all that is to be kept.

    Raises `ModelError` if the graph has no such values, or of other shapes.
    """
    detection = manifest.detection
    assert detection is not None
    op = Ops(graph, scope="adapted")
    if detection.table is not None:
        _split(op, values, detection)
    for name in (detection.scores, detection.boxes):
        if name not in values:
            raise ModelError(f"the graph has no value {name!r}, which the manifest names for its detections")
    scores, boxes = values[detection.scores], values[detection.boxes]
    if detection.classes_first:
        scores = values[detection.scores] = _turned(op, scores)
    classes = len(manifest.labels)
    columns = scores.shape[2] if scores.shape is not None and len(scores.shape) == 3 else None
    if columns not in (classes, classes + 1):
        raise ModelError(f"{detection.scores!r} has {columns} columns for {classes} labels")
    named = (
        scores if columns == classes else op.Slice(scores, op.constant([0]), op.constant([classes]), op.constant([2]))
    )
    best = op.ReduceMax(named, op.constant([1]), keepdims=0, _name=manifest.logits)
    best.type = scores.type
    best.shape = ir.Shape([scores.shape[0] if scores.shape is not None else "N", classes])
    return [best, scores, boxes]


def _turned(op: Ops, scores: ir.Value) -> ir.Value:
    """Scores (N, boxes, classes), under the name of (N, classes, boxes)."""
    name, scores.name = scores.name, f"{scores.name}/classes_first"
    found = op.Transpose(scores, perm=[0, 2, 1], _name=name)
    dims = scores.shape.dims if scores.shape is not None else ("N", None, None)
    found.type, found.shape = scores.type, ir.Shape([dims[0], dims[2], dims[1]])
    return found


def _split(op: Ops, values: dict[str | None, ir.Value], detection: Detection) -> None:
    """Cut a table into boxes (N, boxes, 4) and scores (N, boxes, classes), times how likely they hold anything."""
    if detection.table not in values:
        raise ModelError(f"the graph has no value {detection.table!r}, which the manifest names for its detections")
    table = values[detection.table]
    batch, rows, columns = table.shape.dims if table.shape is not None else ("N", None, None)
    if not detection.has_objectness:
        table, rows, columns = op.Transpose(table, perm=[0, 2, 1]), columns, rows
    if not isinstance(columns, int):
        raise ModelError(f"the table {detection.table!r} has an open number of columns")
    first = COORDINATES + detection.has_objectness
    axis = op.constant([2])
    scores = op.Slice(table, op.constant([first]), op.constant([columns]), axis)
    if detection.has_objectness:
        scores = op.Mul(scores, op.Slice(table, op.constant([COORDINATES]), op.constant([first]), axis))
    named = op.Identity(scores, _name=detection.scores)
    boxes = op.Slice(table, op.constant([0]), op.constant([COORDINATES]), axis, _name=detection.boxes)
    for value, width in ((named, columns - first), (boxes, COORDINATES)):
        value.type, value.shape = table.type or values[detection.table].type, ir.Shape([batch, rows, width])
        values[str(value.name)] = value
