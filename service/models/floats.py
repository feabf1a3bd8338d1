"""Giving all floating-point numbers of a graph one type, float32."""

import numpy as np
import onnx_ir as ir

OTHER_FLOATS = frozenset([ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE])
# Attributes that hold an element type.
_TYPES = ("to", "dtype", "output_dtype", "stash_type", "output_datatype", "softmax_precision")
_LARGEST = np.finfo(np.float32).max


def to_float32(model: ir.Model) -> bool:
    """Change float16, bfloat16 and double to float32 everywhere in the model; returns whether there were any.

    A CPU computes float16 by way of float32 anyway, and has no kernels for convolutions of doubles. Numbers beyond the
    range of float32 become its largest number. The types of inner values must be inferred anew.
    """
    return any(list(map(_convert, model.graphs())))


def _convert(graph: ir.Graph | ir.GraphView) -> bool:
    changed = False
    for value in [*graph.inputs, *graph.initializers.values()]:
        if value.dtype in OTHER_FLOATS:
            if value.const_value is not None:
                value.const_value = _as_float32(value.const_value)
            value.dtype, changed = ir.DataType.FLOAT, True
    for node in graph:
        for attribute in list(node.attributes.values()):
            new = _converted(attribute)
            if new is not None:
                node.attributes[new.name], changed = new, True
        for value in node.outputs:
            if value.dtype in OTHER_FLOATS:
                value.dtype, changed = ir.DataType.FLOAT, True
    return changed


def _converted(attribute: ir.Attr) -> ir.Attr | None:
    """The attribute with float32 in the place of another type; None if it is right as it is."""
    if attribute.type == ir.AttributeType.INT and attribute.name in _TYPES and attribute.value in OTHER_FLOATS:
        return ir.AttrInt64(attribute.name, ir.DataType.FLOAT)
    if attribute.type == ir.AttributeType.TENSOR and attribute.value.dtype in OTHER_FLOATS:
        return ir.AttrTensor(attribute.name, _as_float32(attribute.value))
    return None


def _as_float32(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    return ir.tensor(tensor.numpy().astype(np.float64).clip(-_LARGEST, _LARGEST).astype(np.float32), name=tensor.name)
