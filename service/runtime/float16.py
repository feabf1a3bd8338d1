"""Graphs that compute in half precision."""

import onnx
import onnx_ir as ir
from onnxruntime.transformers.float16 import convert_float_to_float16


def in_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, whose weights are in it, computing in float16; inputs and outputs keep their types."""
    half = convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True)
    del half.graph.value_info[:]  # they tell the types of before
    ordered = ir.from_proto(half)
    ordered.graph.sort()
    proto: onnx.ModelProto = ir.to_proto(ordered)
    return proto
