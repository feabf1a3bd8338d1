"""Values that can be computed while a graph is built: constants, known sizes, and arithmetic with these."""

from typing import Any

import numpy as np
import onnx_ir as ir
from onnx import helper
from onnx.reference import ReferenceEvaluator

from service.autodiff.shapes import constant_value, fixed_dims

# The arithmetic that exporters do with shapes and conditions.
_FOLDED = frozenset(
    "Add And Cast Concat Constant Div Equal Flatten Gather Greater GreaterOrEqual Identity Less "
    "LessOrEqual Max Min Mod Mul Neg Not Or ReduceMax ReduceMin ReduceProd ReduceSum Reshape Slice Squeeze Sub "
    "Unsqueeze Where Xor".split()
)
_MAX_DEPTH = 100  # nodes in a row
_MAX_ELEMENTS = 10_000  # of what a node reads; conditions and sizes are small, and a file must not make them large


def known_value(value: ir.Value | None) -> np.ndarray | None:
    """The array that ``value`` will hold whatever the input is, or None where that is not known."""
    return _known(value, {}, _MAX_DEPTH)


def _known(value: ir.Value | None, found: dict[ir.Value, np.ndarray | None], depth: int) -> np.ndarray | None:
    constant = constant_value(value)
    node = value.producer() if value is not None else None
    if value is None or constant is not None or node is None or node.domain or depth == 0:
        return constant
    if value not in found:
        found[value] = _computed(node, found, depth - 1)
    return found[value]


def _computed(node: ir.Node, found: dict[ir.Value, np.ndarray | None], depth: int) -> np.ndarray | None:
    if node.op_type in ("Shape", "Size"):
        return _of_shape(node)
    if node.op_type not in _FOLDED or len(node.outputs) > 1:
        return None
    inputs = [_known(x, found, depth) for x in node.inputs]
    if any(x is not None and known is None for x, known in zip(node.inputs, inputs, strict=True)):
        return None
    if sum(known.size for known in inputs if known is not None) > _MAX_ELEMENTS:
        return None
    return _run(node, inputs)


def _of_shape(node: ir.Node) -> np.ndarray | None:
    x = node.inputs[0]
    dims = fixed_dims(x) if x is not None else None
    if dims is None:
        return None
    if node.op_type == "Size":
        return np.array(np.prod(dims, dtype=np.int64))
    start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", len(dims))
    return np.array(dims[start:end], np.int64)


def _run(node: ir.Node, inputs: list[np.ndarray | None]) -> np.ndarray:
    """The output of one node, computed by ONNX's own evaluator."""
    names = [f"x{i}" if x is not None else "" for i, x in enumerate(inputs)]
    proto = ir.to_proto(node)
    del proto.input[:], proto.output[:]
    proto.input.extend(names)
    proto.output.append("y")
    declared = [helper.make_value_info(name, helper.make_tensor_type_proto(1, None)) for name in names if name]
    graph = helper.make_graph(
        [proto], "folded", declared, [helper.make_value_info("y", helper.make_tensor_type_proto(1, None))]
    )
    opset = node.graph.opset_imports.get("", 18) if isinstance(node.graph, ir.Graph) else 18
    evaluator: Any = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))
    feeds = {name: x for name, x in zip(names, inputs, strict=True) if name}
    return np.asarray(evaluator.run(None, feeds)[0])
