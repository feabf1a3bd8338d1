"""Batch normalizations merged with the layers before them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as passes

from service.autodiff.shapes import constant_value
from service.graphs.rewrites import bias_of, initializer, pairs


def without_batch_norms(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same function with BatchNormalization(Conv(x)) as one convolution, and so for Gemm.

    Those of other values stay, and so do inner values that something else reads.
    """
    copy = ir.from_proto(model)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(copy)
    for layer in ("Conv", "Gemm"):
        for norm, before in pairs(copy.graph, "BatchNormalization", layer):
            _merge(copy.graph, norm, before)
    return ir.to_proto(copy)


def _merge(graph: ir.Graph, norm: ir.Node, layer: ir.Node) -> None:
    w = constant_value(layer.inputs[1])
    statistics = [constant_value(value) for value in norm.inputs[1:]]
    known = [value for value in statistics if value is not None]
    if w is None or len(known) < 4 or len(norm.outputs) > 1 or _is_unusual(layer):
        return
    scale, shift, mean, variance = (value.astype(np.float64) for value in known)
    factor = scale / np.sqrt(variance + norm.attributes.get_float("epsilon", 1e-5))
    by_output = (-1,) + (1,) * (w.ndim - 1) if _outputs_first(layer) else (1, -1)
    bias = (bias_of(layer, len(factor)) - mean) * factor + shift
    _replace(graph, layer, 1, w * factor.reshape(by_output), w.dtype)
    layer.resize_inputs(3)
    _replace(graph, layer, 2, bias, w.dtype)
    y, normed = layer.outputs[0], norm.outputs[0]
    name, y.type, y.shape = normed.name, normed.type, normed.shape
    normed.replace_all_uses_with(y, replace_graph_outputs=True)
    graph.remove(norm, safe=True)
    y.name = name


def _outputs_first(layer: ir.Node) -> bool:
    return layer.op_type == "Conv" or layer.attributes.get_int("transB", 0) == 1


def _is_unusual(layer: ir.Node) -> bool:
    """Whether a factor stands before the bias, or the bias is not one of constants by channel."""
    bias = layer.inputs[2] if len(layer.inputs) > 2 else None
    value = constant_value(bias)
    factors = {layer.attributes.get_float(name, 1.0) for name in ("alpha", "beta")}
    return factors != {1.0} or (bias is not None and (value is None or value.ndim != 1))


def _replace(graph: ir.Graph, layer: ir.Node, i: int, array: npt.NDArray[Any], dtype: npt.DTypeLike) -> None:
    layer.replace_input_with(i, initializer(graph, f"{layer.outputs[0].name}/normalized_{i}", array.astype(dtype)))
