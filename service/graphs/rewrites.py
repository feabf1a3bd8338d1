"""Rewriting a network before it is differentiated: the same function, cheaper to differentiate and to run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as passes

from service.autodiff.shapes import constant_value

Array = npt.NDArray[Any]


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Apply all rewrites of this module. Inputs and outputs stay; inner values may disappear."""
    copy = ir.from_proto(model)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(copy)
    merge_pointwise(copy.graph)
    split_instead_of_gathers(copy.graph)
    pool_before_concat(copy.graph)
    pool_before_relu(copy.graph)
    return ir.to_proto(copy)


def with_image_shape(model: onnx.ModelProto, image: str, shape: Sequence[int | None]) -> onnx.ModelProto:
    """The model for images (N, C, H, W) of one shape; None stands for a size that stays open.

    All inner sizes become known: then none is computed at run time, and the runtime's optimizer sees which shapes are
    equal.
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
    """The model with inner values as further outputs, so that rewrites leave these values as they are."""
    copy = ir.from_proto(model)
    present = {v.name for v in copy.graph.outputs}
    values = ir.convenience.create_value_mapping(copy.graph, include_subgraphs=False)
    copy.graph.outputs.extend(values[name] for name in dict.fromkeys(names) if name not in present)
    return ir.to_proto(copy)


def pool_before_relu(graph: ir.Graph) -> None:
    """MaxPool(Relu(x)) becomes Relu(MaxPool(x)): the same numbers, but the gradient is masked on the smaller tensor.

    The gradients are the same too. A window whose largest element is positive has it at the same place in both forms,
    ties included; a window without a positive element passes nothing in either.
    """
    for pool, relu in pairs(graph, "MaxPool", "Relu"):
        if len(pool.outputs) == 1:
            pooled, activated = pool.outputs[0], relu.outputs[0]
            pool.replace_input_with(0, relu.inputs[0])
            name, shape = pooled.name, pooled.shape
            pooled.name, activated.name = f"{name}/before_relu", f"{activated.name}/pooled"
            pooled.replace_all_uses_with(activated, replace_graph_outputs=True)
            relu.replace_input_with(0, pooled)
            graph.remove(relu)
            graph.insert_after(pool, relu)
            activated.name, activated.shape = name, shape


def pool_before_concat(graph: ir.Graph) -> None:
    """MaxPool(Concat(a, b)) over channels becomes Concat(MaxPool(a), MaxPool(b)): its gradient need not be cut."""
    for pool, concat in pairs(graph, "MaxPool", "Concat"):
        if len(pool.outputs) == 1 and concat.attributes["axis"].as_int() == 1:
            pooled = pool.outputs[0]
            parts = [_pool_like(pool, part, f"{pooled.name}/{i}") for i, part in enumerate(concat.inputs)]
            joined = ir.node("Concat", [part.outputs[0] for part in parts], {"axis": 1}, name=f"{pooled.name}/joined")
            graph.insert_after(pool, [*parts, joined])
            pooled.replace_all_uses_with(joined.outputs[0], replace_graph_outputs=True)
            name, joined.outputs[0].shape, joined.outputs[0].type = pooled.name, pooled.shape, pooled.type
            graph.remove([pool, concat], safe=True)
            joined.outputs[0].name = name


def _pool_like(pool: ir.Node, x: ir.Value | None, name: str) -> ir.Node:
    """A pool with the same attributes of the value ``x``."""
    node = ir.node("MaxPool", [x], dict(pool.attributes), name=name)
    y = node.outputs[0]
    y.name, y.type = name, pool.outputs[0].type
    if x is not None and x.shape is not None and (shape := pool.outputs[0].shape) is not None:
        y.shape = ir.Shape([*x.shape[:2], *shape[2:]])
    return node


def merge_pointwise(graph: ir.Graph) -> None:
    """Merge a convolution without padding with the 1x1 convolution before it (a change of colours, say).

    The kernel of the one convolution that remains is W₂·W₁, its bias b₂ + W₂·b₁.
    """
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
        bias = bias_of(second, len(outer)) + outer.astype(np.float64).sum(axis=(2, 3)) @ bias_of(first, len(inner))
        second.replace_input_with(0, first.inputs[0])
        second.replace_input_with(1, initializer(graph, f"{second.name}/merged_kernel", merged.astype(outer.dtype)))
        second.resize_inputs(3)
        second.replace_input_with(2, initializer(graph, f"{second.name}/merged_bias", bias.astype(outer.dtype)))
        graph.remove(first)


def split_instead_of_gathers(graph: ir.Graph) -> None:
    """Gather(x, 0), Gather(x, 1), … along an axis become one Split: its gradient is a Concat, theirs sums of Scatters.

    Exporters write query, key and value of an attention that way.
    """
    for x in [value for node in list(graph) for value in node.outputs]:
        taken: dict[int, dict[int, ir.Node]] = {}
        for use in x.uses():
            if (found := _slice_taken(use.node, x)) is not None:
                axis, index = found
                taken.setdefault(axis, {}).setdefault(index, use.node)
        for axis, gathers in taken.items():
            size = x.shape[axis] if x.shape is not None else None
            if isinstance(size, int) and len(gathers) > 1:
                _split(graph, x, axis, size, gathers)


def _slice_taken(node: ir.Node, x: ir.Value) -> tuple[int, int] | None:
    """Axis and index of the single slice of ``x`` that the node takes; None if it is something else."""
    index = constant_value(node.inputs[1]) if node.op_type == "Gather" and node.inputs[0] is x else None
    if index is None or index.ndim or x.shape is None:
        return None
    axis = node.attributes.get_int("axis", 0) % len(x.shape)
    size = x.shape[axis]
    return (axis, int(index) % size) if isinstance(size, int) else None


def _split(graph: ir.Graph, x: ir.Value, axis: int, size: int, gathers: Mapping[int, ir.Node]) -> None:
    """Take the slices of ``x`` from one Split."""
    split = ir.node("Split", [x], {"axis": axis, "num_outputs": size}, num_outputs=size, name=f"{x.name}/split_{axis}")
    axes = initializer(graph, f"{x.name}/axis_{axis}", np.array([axis]))
    for i, part in enumerate(split.outputs):
        part.name, part.type = f"{split.name}:{i}", x.type
        part.shape = ir.Shape([*x.shape.dims[:axis], 1, *x.shape.dims[axis + 1 :]]) if x.shape is not None else None
    first = min(gathers.values(), key=list(graph).index)
    graph.insert_before(first, split)
    for index, gather in gathers.items():
        slice_ = gather.outputs[0]
        squeeze = ir.node("Squeeze", [split.outputs[index], axes], name=f"{split.name}/squeezed_{index}")
        graph.insert_before(gather, squeeze)
        squeezed = squeeze.outputs[0]
        name, squeezed.shape, squeezed.type = slice_.name, slice_.shape, slice_.type
        slice_.name = f"{name}/gathered"
        slice_.replace_all_uses_with(squeezed, replace_graph_outputs=True)
        squeezed.name = name
        graph.remove(gather, safe=True)


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


def bias_of(node: ir.Node, channels: int) -> Array:
    """The bias of a layer in float64, zeros if it has none."""
    bias = constant_value(node.inputs[2]) if len(node.inputs) > 2 else None
    return np.zeros(channels) if bias is None else bias.astype(np.float64)


def initializer(graph: ir.Graph, name: str, array: Array) -> ir.Value:
    """The array as a new initializer of the graph."""
    value = ir.val(name, const_value=ir.tensor(array, name=name))
    graph.register_initializer(value)
    return value
