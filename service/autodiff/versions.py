"""Bringing models to a newer opset."""

import onnx
from onnx import version_converter

OPSET_FLOOR = 18
_RESIZE_IS_ASYMMETRIC = 10  # up to this opset, Upsample and Resize map coordinates by the scale alone


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the standard operators that the model uses."""
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)


def at_opset_floor(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model at opset 18, or as it is if it has that opset or a newer one.

    ONNX's converter turns Upsample and old Resize nodes into Resize nodes that map coordinates from centre to centre of
    pixels, which is another function where the mode is linear. This is corrected here.
    """
    opset = opset_of(model)
    if opset >= OPSET_FLOOR:
        return model
    converted = version_converter.convert_version(model, OPSET_FLOOR)
    if opset <= _RESIZE_IS_ASYMMETRIC:
        for node in converted.graph.node:
            if node.op_type == "Resize":
                _make_asymmetric(node)
    return converted


def _make_asymmetric(node: onnx.NodeProto) -> None:
    kept = [a for a in node.attribute if a.name not in ("coordinate_transformation_mode", "nearest_mode")]
    del node.attribute[:]
    node.attribute.extend(kept)
    node.attribute.append(onnx.helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
    node.attribute.append(onnx.helper.make_attribute("nearest_mode", "floor"))
