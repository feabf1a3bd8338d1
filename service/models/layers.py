"""The layers of a network that can be examined: its values with channels and two spatial axes."""

import onnx
import onnx_ir as ir

from service.models.facts import Layer
from service.models.manifest import Manifest

# The outputs of these operators need not have the axes (N, channels, height, width).
_REARRANGING = frozenset(
    (
        "Transpose Reshape MatMul Gemm Flatten Squeeze Unsqueeze Softmax Gather GatherND Einsum Split DepthToSpace "
        "SpaceToDepth Shape"
    ).split()
)
# Their inputs and outputs have these axes, wherever the input comes from.
_WINDOWED = frozenset("Conv ConvTranspose MaxPool AveragePool LpPool".split())
_TO_CHANNELS_FIRST = [0, 3, 1, 2]


def image_layers(proto: onnx.ModelProto, manifest: Manifest) -> dict[str, Layer]:
    """All layers between the image and the scores by name, in the order of the graph."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(proto)
    image = next(value for value in fixed.graph.input if value.name == manifest.input)
    dims = image.type.tensor_type.shape.dim
    for dim, size in zip(dims, (dims[0].dim_value or 1, 3, *manifest.size), strict=True):
        dim.dim_value = size
    del fixed.graph.value_info[:]
    graph = ir.from_proto(onnx.shape_inference.infer_shapes(fixed)).graph
    spatial = {value for value in graph.inputs if value.name == manifest.input}
    layers: dict[str, Layer] = {}
    for node in graph:
        if not _keeps_places(node, spatial):
            continue
        for value in node.outputs:
            spatial.add(value)
            if value.name and (layer := _layer(value, node.op_type, manifest)) is not None:
                layers[value.name] = layer
    return layers


def _keeps_places(node: ir.Node, spatial: set[ir.Value]) -> bool:
    """Whether the outputs have the axes (N, channels, height, width).

    They do if an input has them and the operator keeps them, or if a Transpose moves channels from last to first.
    """
    if node.op_type in _WINDOWED:
        return True
    if node.op_type == "Transpose":
        return list(node.attributes.get_ints("perm") or []) == _TO_CHANNELS_FIRST
    return node.op_type not in _REARRANGING and any(x in spatial for x in node.inputs)


def _layer(value: ir.Value, operator: str, manifest: Manifest) -> Layer | None:
    dims = value.shape.dims if value.shape is not None else ()
    if len(dims) != 4 or not isinstance(dims[1], int) or value.dtype != ir.DataType.FLOAT:
        return None
    height, width = dims[2:]
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    if size is not None and max(size) < 2:  # after a global pool there are no spatial positions
        return None
    return Layer(value.name or "", operator, dims[1], size, value.name in manifest.layers)
