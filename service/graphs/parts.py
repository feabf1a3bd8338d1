"""Parts of a network that methods look into: the constants that it adds, and its attentions."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from service.autodiff.shapes import constant_value

Array = npt.NDArray[Any]


def biases(model: onnx.ModelProto) -> Mapping[str, Array]:
    """What is added to values that depend on an input, in shapes that broadcast, by the name of the sum.

    These are the biases of layers, constants in sums, and what a batch norm adds.
    """
    return {str(node.outputs[0].name): added for node in _varying(model) if (added := _bias(node)) is not None}


def attentions(model: onnx.ModelProto) -> list[str]:
    """The names of the attentions (N, heads, tokens, tokens): softmaxes that weight the rows of a matrix."""
    return [str(node.outputs[0].name) for node in _varying(model) if _is_attention(node)]


def _varying(model: onnx.ModelProto) -> Iterator[ir.Node]:
    """The nodes that compute from an input something that has a name."""
    graph = ir.from_proto(model).graph
    varying = set(graph.inputs)
    for node in graph:
        if varying.isdisjoint(node.inputs):
            continue
        varying.update(node.outputs)
        if node.outputs[0].name:
            yield node


def _bias(node: ir.Node) -> Array | None:
    constants = [constant_value(x) for x in node.inputs]
    if node.op_type in ("Conv", "ConvTranspose") and len(constants) > 2 and constants[2] is not None:
        kernel = constants[1]
        return constants[2].reshape(1, -1, *[1] * (kernel.ndim - 2 if kernel is not None else 2))
    if node.op_type == "Gemm" and len(constants) > 2 and constants[2] is not None:
        return constants[2] * np.float32(node.attributes.get_float("beta", 1.0))
    if node.op_type in ("Add", "Sub") and sum(c is not None for c in constants) == 1:
        return _summand(node, constants)
    if node.op_type == "BatchNormalization" and all(c is not None for c in constants[1:]):
        scale, shift, mean, variance = (c.astype(np.float64) for c in constants[1:] if c is not None)
        added = shift - mean * scale / np.sqrt(variance + node.attributes.get_float("epsilon", 1e-5))
        return added.astype(np.float32).reshape(1, -1, 1, 1)
    return None


def _summand(node: ir.Node, constants: list[Array | None]) -> Array | None:
    first, second = constants
    if node.op_type == "Sub" and second is not None:
        return -second
    return first if first is not None else second


def _is_attention(node: ir.Node) -> bool:
    y = node.outputs[0]
    is_last = node.attributes.get_int("axis", -1) in (-1, 3)
    weights_rows = any(use.node.op_type == "MatMul" and use.idx == 0 for use in y.uses())
    is_table = y.shape is not None and len(y.shape) == 4
    return node.op_type == "Softmax" and is_last and weights_rows and is_table
