"""The layers of a network that can be examined: values with channels and two spatial axes, and tokens in a grid."""

from collections.abc import Mapping

import onnx
import onnx_ir as ir

from service.models.facts import Layer
from service.models.manifest import PREPROCESSED, Manifest

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
MOST_LEADING = 5  # a class token, one of distillation, and a few registers


def image_layers(proto: onnx.ModelProto, manifest: Manifest) -> dict[str, Layer]:
    """All layers between the image and the scores by name, in the order of the graph."""
    graph = ir.from_proto(_at_usual_size(proto, manifest)).graph
    spatial = {value for value in graph.inputs if value.name == manifest.input}
    varying = set(spatial)
    layers: dict[str, Layer] = {}
    for node in graph:
        if not varying.isdisjoint(node.inputs):
            varying.update(node.outputs)
        if _keeps_places(node, spatial):
            spatial.update(node.outputs)
            found = [_layer(value, node.op_type, manifest) for value in node.outputs]
        else:
            found = [_tokens(node, varying, layers, manifest)]
        layers |= {layer.name: layer for layer in found if layer is not None and layer.name}
    return layers


def last_layer(proto: onnx.ModelProto, layers: Mapping[str, Layer], manifest: Manifest) -> str | None:
    """The last layer that the scores depend on as a whole.

    Behind the last attention a class token may be all that counts; then it is the last layer before that. Of a detector
    boxes depend on it as well, and of a segmentation it is the last one before there is a channel for each class.
    """
    shared = set[str].intersection(*(_leading_to(name, proto) for name in _ends(manifest)))
    computed = [name for name in layers if name != PREPROCESSED and name in shared]
    if manifest.places is not None:
        while len(computed) > 1 and layers[computed[-1]].channels == len(manifest.labels):
            computed.pop()
    if not computed or not layers[computed[-1]].leading:
        return computed[-1] if computed else None
    order = {name: i for i, node in enumerate(proto.graph.node) for name in node.output}
    attention = max((i for i, node in enumerate(proto.graph.node) if node.op_type == "Softmax"), default=len(order))
    before = [name for name in computed if order[name] < attention]
    return before[-1] if before else computed[-1]


def _ends(manifest: Manifest) -> list[str]:
    """The values that hold what the network tells."""
    if manifest.detection is not None:
        return [manifest.detection.scores, manifest.detection.boxes]
    return [manifest.places or manifest.logits]


def _leading_to(name: str, proto: onnx.ModelProto) -> set[str]:
    """The names of all values that a value is computed from."""
    producers = {output: node for node in proto.graph.node for output in node.output}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        node = producers.get(waiting.pop())
        further = [] if node is None else [x for x in node.input if x and x not in found]
        found.update(further)
        waiting += further
    return found


def _at_usual_size(proto: onnx.ModelProto, manifest: Manifest) -> onnx.ModelProto:
    """The graph with all sizes inferred for one image of the size in the manifest."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(proto)
    image = next(value for value in fixed.graph.input if value.name == manifest.input)
    dims = image.type.tensor_type.shape.dim
    for dim, size in zip(dims, (dims[0].dim_value or 1, 3, *manifest.size), strict=True):
        dim.dim_value = size
    del fixed.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(fixed, data_prop=True)


def _tokens(node: ir.Node, varying: set[ir.Value], before: Mapping[str, Layer], manifest: Manifest) -> Layer | None:
    """The tokens that a transformer hands from block to block, or what their normalization makes of them."""
    y = node.outputs[0]
    dims = y.shape.dims if y.shape is not None else ()
    is_sum = node.op_type == "Add" and all(x in varying for x in node.inputs)
    if not (is_sum or node.op_type == "LayerNormalization") or y not in varying or len(dims) != 3:
        return None
    _, tokens, channels = dims
    if not isinstance(tokens, int) or not isinstance(channels, int):
        return None
    known = [layer.size for layer in reversed(list(before.values())) if layer.size is not None]
    for leading in range(MOST_LEADING + 1):
        for size in [*known, *_in_proportion(tokens - leading, manifest.size)]:
            if size[0] * size[1] == tokens - leading and min(size) > 1:
                return Layer(y.name or "", node.op_type, channels, size, y.name in manifest.layers, leading)
    return None


def _in_proportion(number: int, image: tuple[int, int]) -> list[tuple[int, int]]:
    """The grid of so many cells that has the proportions of the image, if there is one."""
    rows = round((max(number, 0) * image[0] / image[1]) ** 0.5)
    columns = number // rows if rows else 0
    return [(rows, columns)] if rows * image[1] == columns * image[0] else []


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
