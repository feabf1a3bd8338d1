"""Finding boxes and their scores among the outputs of a graph."""

from collections.abc import Sequence

import onnx_ir as ir

from service.models.corners import COORDINATES
from service.models.heads import Head, before_activation
from service.models.manifest import Detection


def detector_of(outputs: Sequence[ir.Value]) -> Head | None:
    """The detector that these outputs are of.

    They are boxes (N, boxes, 4) beside scores (N, boxes, classes), or one table, or what a suppression leaves of them.
    """
    if (suppression := suppression_of(outputs)) is not None:
        return _of_suppression(suppression)
    tables = [value for value in outputs if value.shape is not None and len(value.shape) == 3 and _is_float(value)]
    of_four = [value for value in tables if value.shape is not None and value.shape[2] == COORDINATES]
    if of_four:
        boxes = next((value for value in of_four if "box" in str(value.name).lower()), of_four[-1])
        scores = next((value for value in tables if value is not boxes and _same_number(value, boxes)), None)
        return None if scores is None else _of_pair(scores, boxes)
    return next((found for value in tables if (found := _of_table(value)) is not None), None)


def suppression_of(outputs: Sequence[ir.Value]) -> ir.Node | None:
    """The suppression of overlapping boxes that the outputs come from."""
    waiting, seen = list(outputs), set(outputs)
    while waiting:
        node = waiting.pop().producer()
        if node is not None and node.op_type == "NonMaxSuppression":
            return node
        further = [x for x in node.inputs if x is not None and x not in seen] if node is not None else []
        seen.update(further)
        waiting += further
    return None


def _of_suppression(node: ir.Node) -> Head | None:
    boxes, scores = node.inputs[0], node.inputs[1]
    classes = scores.shape[1] if scores is not None and scores.shape is not None else None
    if boxes is None or scores is None or not isinstance(classes, int):
        return None
    is_centre = node.attributes.get_int("center_point_box", 0) == 1
    return Head(
        scores,
        classes,
        "none",
        "boxes and scores are taken before the suppression in the graph, in pixels",
        detection=Detection(
            scores=str(scores.name), boxes=str(boxes.name), format="centre" if is_centre else "rows_first",
            unit="pixel", classes_first=True,
        ),
    )  # fmt: skip


def _is_float(value: ir.Value) -> bool:
    return value.dtype in (None, ir.DataType.FLOAT)


def _same_number(one: ir.Value, other: ir.Value) -> bool:
    return one.shape is not None and other.shape is not None and one.shape[1] == other.shape[1]


def _of_pair(scores: ir.Value, boxes: ir.Value) -> Head | None:
    value, activation = before_activation(scores)
    columns = value.shape[2] if value.shape is not None and len(value.shape) == 3 else None
    if not isinstance(columns, int):
        return None
    node = boxes.producer()
    relative = node is not None and node.op_type == "Sigmoid"
    ends_in_nothing = activation != "sigmoid" and columns > 1  # as DETR and its children, with a column for nothing
    return Head(
        value,
        columns - ends_in_nothing,
        "softmax" if ends_in_nothing else "sigmoid",
        "boxes are taken for centre, width and height as shares of the picture where the graph ends in a sigmoid, else "
        "for left, upper, right and lower in pixels; the last column of the scores is taken for nothing, unless they "
        "are made by a sigmoid",
        detection=Detection(
            scores=str(value.name),
            boxes=str(boxes.name),
            format="centre" if relative else "corners",
            unit="picture" if relative else "pixel",
        ),
    )


def _of_table(table: ir.Value) -> Head | None:
    _, rows, columns = table.shape.dims if table.shape is not None else (None, None, None)
    if not isinstance(rows, int) or not isinstance(columns, int) or min(rows, columns) <= COORDINATES:
        return None
    is_tall = rows > columns  # a row for each box, with how likely it holds anything (YOLO to version 7)
    classes = min(rows, columns) - COORDINATES - is_tall
    if classes < 1:
        return None
    name = str(table.name)
    return Head(
        table,
        classes,
        "none",
        "a table with a row for each box is taken for that of YOLO to version 7, with a column for each for that of "
        "later ones",
        detection=Detection(
            table=name, has_objectness=is_tall, scores=f"{name}/scores", boxes=f"{name}/boxes",
            format="centre", unit="pixel",
        ),
    )  # fmt: skip
