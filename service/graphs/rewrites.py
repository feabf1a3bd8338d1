"""Rewriting a network before it is differentiated: the same function, cheaper to differentiate and to run."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from service.autodiff.shapes import constant_value

Array = npt.NDArray[Any]


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """All rewrites of this module. Inputs and outputs stay; inner values may be gone."""
    copy = ir.from_proto(model)
    merge_pointwise(copy.graph)
    pool_before_concat(copy.graph)
    pool_before_relu(copy.graph)
    return ir.to_proto(copy)


def with_image_shape(model: onnx.ModelProto, image: str, shape: Sequence[int | None]) -> onnx.ModelProto:
    """The model for images (N, C, H, W) of one shape, None for a size that stays open.

    All inner sizes become known, so that nothing of them is computed at run time, and the runtime's optimizer sees which shapes are equal.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    dims = next(i for i in fixed.graph.input if i.name == image).type.tensor_type.shape.dim
    sizes = {dim.dim_param: size for dim, size in zip(dims, shape, strict=True) if dim.dim_param and size is not None}
    for value in [*fixed.graph.input, *fixed.graph.output]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in sizes:
                dim.dim_value = sizes[dim.dim_param]
    del fixed.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(fixed)


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The model with inner values as further outputs, so that rewriting leaves them as they are."""
    copy = ir.from_proto(model)
    present = {v.name for v in copy.graph.outputs}
    values = {v.name: v for node in copy.graph for v in node.outputs}
    copy.graph.outputs.extend(values[name] for name in dict.fromkeys(names) if name not in present)
    return ir.to_proto(copy)


def pool_before_relu(graph: ir.Graph) -> None:
    """MaxPool(Relu(x)) becomes Relu(MaxPool(x)): the same numbers, but the mask of the gradient is that of the smaller tensor.

    The gradients are the same too: a window whose largest element is positive has it at the same place, ties included, and a window without
    a positive element passes nothing in both forms.
    """
    for pool, relu in pairs(graph, "MaxPool", "Relu"):
        if len(pool.outputs) == 1:
            pooled, activated = pool.outputs[0], relu.outputs[0]
            pool.replace_input_with(0, relu.inputs[0])
            name, shape = pooled.name, pooled.shape
            pooled.name, activated.name = f"{name}/before_relu", f"{activated.name}/pooled"
            replace_uses(graph, pooled, activated, except_by=relu)
            relu.replace_input_with(0, pooled)
            graph.remove(relu)
            graph.insert_after(pool, relu)
            activated.name, activated.shape = name, shape


def pool_before_concat(graph: ir.Graph) -> None:
    """MaxPool(Concat(a, b)) over channels becomes Concat(MaxPool(a), MaxPool(b)): its gradient need not be cut in parts."""
    for pool, concat in pairs(graph, "MaxPool", "Concat"):
        if len(pool.outputs) == 1 and concat.attributes["axis"].as_int() == 1:
            pooled = pool.outputs[0]
            parts = [_pool_like(pool, part, f"{pooled.name}/{i}") for i, part in enumerate(concat.inputs)]
            joined = ir.node("Concat", [part.outputs[0] for part in parts], {"axis": 1}, name=f"{pooled.name}/joined")
            graph.insert_after(pool, [*parts, joined])
            replace_uses(graph, pooled, joined.outputs[0])
            name, joined.outputs[0].shape, joined.outputs[0].type = pooled.name, pooled.shape, pooled.type
            graph.remove([pool, concat], safe=True)
            joined.outputs[0].name = name


def _pool_like(pool: ir.Node, x: ir.Value | None, name: str) -> ir.Node:
    """The same pool of another value."""
    node = ir.node("MaxPool", [x], dict(pool.attributes), name=name)
    y = node.outputs[0]
    y.name, y.type = name, pool.outputs[0].type
    if x is not None and x.shape is not None and (shape := pool.outputs[0].shape) is not None:
        y.shape = ir.Shape([*x.shape[:2], *shape[2:]])
    return node


def merge_pointwise(graph: ir.Graph) -> None:
    """A convolution without padding after a 1x1 convolution (a change of colours, say) is one convolution: W = W₂·W₁, b = b₂ + W₂·b₁."""
    for second, first in pairs(graph, "Conv", "Conv"):
        kernels = [constant_value(node.inputs[1]) for node in (second, first)]
        if (
            kernels[0] is None
            or kernels[1] is None
            or not (_is_pointwise(first) and _is_plain(first) and _is_plain(second))
        ):
            continue
        outer, inner = kernels[0], kernels[1][:, :, 0, 0]
        merged = np.einsum("oc...,ci->oi...", outer.astype(np.float64), inner)
        bias = _bias(second, len(outer)) + outer.astype(np.float64).sum(axis=(2, 3)) @ _bias(first, len(inner))
        second.replace_input_with(0, first.inputs[0])
        second.replace_input_with(1, _initializer(graph, f"{second.name}/merged_kernel", merged.astype(outer.dtype)))
        second.resize_inputs(3)
        second.replace_input_with(2, _initializer(graph, f"{second.name}/merged_bias", bias.astype(outer.dtype)))
        graph.remove(first)


def pairs(graph: ir.Graph, op_type: str, before: str) -> Iterator[tuple[ir.Node, ir.Node]]:
    """Nodes of the type ``op_type`` whose input comes from a node of the type ``before`` that nothing else reads."""
    for node in list(graph):
        x = node.inputs[0] if node.op_type == op_type else None
        producer = x.producer() if x is not None else None
        if (
            x is not None
            and producer is not None
            and producer.op_type == before
            and len(x.uses()) == 1
            and x not in graph.outputs
        ):
            yield node, producer


def replace_uses(graph: ir.Graph, old: ir.Value, new: ir.Value, except_by: ir.Node | None = None) -> None:
    """Let all nodes but one read ``new`` instead of ``old``, and the graph return it."""
    for use in list(old.uses()):
        if use.node is not except_by:
            use.node.replace_input_with(use.idx, new)
    for i, output in enumerate(graph.outputs):
        if output is old:
            graph.outputs[i] = new


def _is_pointwise(node: ir.Node) -> bool:
    kernel = constant_value(node.inputs[1])
    return kernel is not None and kernel.shape[2:] == (1, 1) and set(node.attributes.get_ints("strides", [1])) == {1}


def _is_plain(node: ir.Node) -> bool:
    """Whether the convolution has neither padding nor groups."""
    padded = any(node.attributes.get_ints("pads", [0])) or node.attributes.get_string("auto_pad", "NOTSET") not in (
        "NOTSET",
        "VALID",
    )
    return not padded and node.attributes.get_int("group", 1) == 1


def _bias(node: ir.Node, channels: int) -> Array:
    bias = constant_value(node.inputs[2]) if len(node.inputs) > 2 else None
    return np.zeros(channels) if bias is None else bias.astype(np.float64)


def _initializer(graph: ir.Graph, name: str, array: Array) -> ir.Value:
    value = ir.val(name, const_value=ir.tensor(array, name=name))
    graph.register_initializer(value)
    return value
