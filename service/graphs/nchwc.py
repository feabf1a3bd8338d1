"""Rewriting a graph for the blocked layout of the CPU runtime (NCHWc): channels in blocks of 16.

Convolutions and pools are fast in this layout. Whatever has no form for it costs two reorderings, so these rewrites
avoid copies, cuts and numbers of channels that are no multiple of a block. The values stay the same but for the
rounding of sums. `service.autodiff.nchwc` has the gradient rules for the same layout.
"""

import numpy as np
import onnx
import onnx_ir as ir

from service.autodiff import Ops
from service.autodiff.nchwc import BLOCK
from service.autodiff.shapes import constant_value, operand
from service.graphs.rewrites import pairs


def for_nchwc(model: onnx.ModelProto) -> onnx.ModelProto:
    """Apply all rewrites of this module. Inputs and outputs stay; inner values may disappear."""
    copy = ir.from_proto(model)
    convolve_before_concat(copy.graph)
    fill_blocks(copy.graph)
    copy.graph.sort()
    return ir.to_proto(copy)


def convolve_before_concat(graph: ir.Graph) -> None:
    """Conv(Concat(a, b)) over channels becomes Conv(a) + Conv(b).

    Then nothing is copied, and the gradient need not be cut into parts.
    """
    for convolution, concat in pairs(graph, "Conv", "Concat"):
        kernel, y = constant_value(convolution.inputs[1]), convolution.outputs[0]
        parts = [
            part
            for part in concat.inputs
            if part is not None and part.shape is not None and isinstance(part.shape[1], int)
        ]
        over_channels = concat.attributes["axis"].as_int() == 1 and convolution.attributes.get_int("group", 1) == 1
        if kernel is None or not over_channels or len(parts) != len(concat.inputs):
            continue
        op = Ops(graph, scope=f"{y.name}/parts")
        ends = np.cumsum([part.shape[1] for part in parts if part.shape is not None])[:-1]
        kernels = [np.ascontiguousarray(section) for section in np.split(kernel, ends, axis=1)]
        biases = [convolution.inputs[2:], *[[]] * (len(parts) - 1)]
        terms = [
            op.Conv(part, section, *bias, **convolution.attributes)
            for part, section, bias in zip(parts, kernels, biases, strict=True)
        ]
        total = op.total(terms)
        for value in [*terms, total]:
            value.shape, value.type = y.shape, y.type
        y.replace_all_uses_with(total, replace_graph_outputs=True)
        total.name, y.name = y.name, f"{y.name}/whole"
        graph.remove([convolution, concat], safe=True)


def fill_blocks(graph: ir.Graph) -> None:
    """Give the convolution of a head further channels of zeros, which fill its last block.

    A head is GlobalAveragePool(Conv(x)), perhaps with a Relu between; the further channels are cut off after the pool.
    """
    for convolution in [node for node in graph if node.op_type == "Conv"]:
        weights = [constant_value(value) for value in convolution.inputs[1:]]
        channels = len(weights[0]) if weights[0] is not None else 0
        pools = _pools_of_head(graph, convolution)
        if channels % BLOCK == 0 or not pools or any(array is None for array in weights):
            continue
        op, more = Ops(graph, scope=f"{convolution.outputs[0].name}/blocks"), -channels % BLOCK
        for i, array in enumerate(weights, 1):
            if array is not None:
                convolution.replace_input_with(i, op.constant(np.pad(array, [(0, more), *[(0, 0)] * (array.ndim - 1)])))
        for pool in pools:
            whole = pool.outputs[0]
            readers = list(whole.uses())
            cut = op.Slice(whole, op.constant([0]), op.constant([channels]), op.constant([1]))
            cut.shape, cut.type = whole.shape, whole.type
            for reader in readers:
                reader.node.replace_input_with(reader.idx, cut)
            for value in (whole, operand(pool, 0), convolution.outputs[0]):
                value.shape = (
                    None if value.shape is None else ir.Shape([value.shape[0], channels + more, *value.shape[2:]])
                )


def _pools_of_head(graph: ir.Graph, convolution: ir.Node) -> list[ir.Node]:
    """The global average pools that read the convolution, directly or after a Relu, if nothing else does."""
    users = [use.node for use in convolution.outputs[0].uses()]
    relus = [node for node in users if node.op_type == "Relu"]
    pools = [node for node in users if node not in relus] + [
        use.node for relu in relus for use in relu.outputs[0].uses()
    ]
    returned = any(node.outputs[0] in graph.outputs for node in [convolution, *relus, *pools])
    grouped = convolution.attributes.get_int("group", 1) != 1
    return [] if returned or grouped or any(node.op_type != "GlobalAveragePool" for node in pools) else pools
