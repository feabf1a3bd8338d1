"""Bringing the graphs of any exporter into the one form that the service works with.

In that form the opset is 18 or newer and constants are folded. The input is float32 (N, 3, H, W), RGB, in [0, 1]. The
output has one score per class, (N, classes), taken before a final softmax.
"""

from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from onnx import inliner
from onnxscript import optimizer

from service.autodiff import Ops
from service.autodiff.versions import OPSET_FLOOR, at_opset_floor
from service.errors import ModelError
from service.models.manifest import Manifest
from service.models.squeezenet import preprocess


@dataclass(frozen=True)
class Adapted:
    """A model in the form of the service.

    Attributes:
        proto: The model.
        image_size: The size (height, width) of images, if the graph admits only one.
        one_by_one: Whether N must be 1.
    """

    proto: onnx.ModelProto
    image_size: tuple[int, int] | None
    one_by_one: bool


def adapt(proto: onnx.ModelProto, manifest: Manifest) -> Adapted:
    """Bring a model into the form of the service. Raises `ModelError` with the reason if that is impossible."""
    if is_canonical(proto, manifest):
        return Adapted(proto, None, one_by_one=False)
    proto = modernized(proto)
    model = ir.from_proto(proto)
    graph = model.graph
    image = _image_input(graph, manifest)
    dims = list(image.shape or [])
    if len(dims) != 4:
        raise ModelError(
            f"the input {manifest.input!r} has {len(dims)} axes; an image network has four: {manifest.layout}"
        )
    channels_last = manifest.layout == "NHWC"
    height, width = (dims[1], dims[2]) if channels_last else (dims[2], dims[3])
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    one_by_one = isinstance(dims[0], int)
    _prepend(
        graph, image, manifest, [dims[0] if one_by_one else "N", 3, height if size else "H", width if size else "W"]
    )
    _expose_logits(graph, manifest)
    graph.sort()
    adapted = onnx.shape_inference.infer_shapes(ir.to_proto(model))
    try:
        onnx.checker.check_model(adapted, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"the adapted model is not valid: {error}") from error
    return Adapted(adapted, size, one_by_one)


def is_canonical(proto: onnx.ModelProto, manifest: Manifest) -> bool:
    """Whether the model already has the form of the service, as the built-in one does; it is then left unchanged."""
    return manifest.preprocessing.in_graph and manifest.layout == "NCHW" and proto.producer_name == "convlens"


def modernized(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model at a sufficient opset, with functions inlined and constants folded.

    Raises `ModelError` if a tool cannot process the model.
    """
    try:
        model = ir.from_proto(inliner.inline_local_functions(at_opset_floor(proto)))
        optimizer.fold_constants(model, input_size_limit=2**24, output_size_limit=2**24, should_fold=_always)
        optimizer.remove_unused_nodes(model)
        return onnx.shape_inference.infer_shapes(ir.to_proto(model), data_prop=True)
    except Exception as error:  # the tools raise many types without a common base
        raise ModelError(f"the model cannot be brought to opset {OPSET_FLOOR}: {str(error)[:300]}") from error


def _always(node: ir.Node) -> bool | None:
    """Fold operators that expand small tensors too; None leaves the decision about others to the optimizer."""
    return True if node.op_type in ("ConstantOfShape", "Expand", "Tile") else None


def _image_input(graph: ir.Graph, manifest: Manifest) -> ir.Value:
    found = {value.name: value for value in graph.inputs}
    if manifest.input not in found or len(found) != 1:
        raise ModelError(
            f"the manifest names the input {manifest.input!r}, the graph has: {', '.join(map(str, found)) or 'none'}"
        )
    if found[manifest.input].dtype != ir.DataType.FLOAT:
        raise ModelError(f"the input {manifest.input!r} is {found[manifest.input].dtype}; it must be float32")
    return found[manifest.input]


def _prepend(graph: ir.Graph, image: ir.Value, manifest: Manifest, dims: list[int | str | ir.SymbolicDim]) -> None:
    """Insert the preprocessing and the change of layout between the image and the nodes that read it."""
    readers = list(image.uses())
    image.shape = ir.Shape(dims)
    op = Ops(graph, scope="adapted")
    value = image if manifest.preprocessing.in_graph else preprocess(op, image, manifest.preprocessing)
    if manifest.layout == "NHWC":
        value = op.Transpose(value, perm=[0, 2, 3, 1])
    if value is not image:
        for use in readers:
            use.node.replace_input_with(use.idx, value)


def _expose_logits(graph: ir.Graph, manifest: Manifest) -> None:
    """Make the scores an output (N, classes)."""
    values = {value.name: value for node in graph for value in node.outputs}
    if manifest.logits not in values:
        raise ModelError(f"the graph has no value {manifest.logits!r}, which the manifest names as its logits")
    logits = values[manifest.logits]
    dims = list(logits.shape or [])
    classes = len(manifest.labels)
    if len(dims) < 2 or dims[1] != classes or any(d != 1 for d in dims[2:]):
        raise ModelError(f"the logits {manifest.logits!r} have the shape {dims}; {classes} labels need (N, {classes})")
    if len(dims) > 2:
        name, logits.name = logits.name, f"{logits.name}/unflattened"
        flat = Ops(graph, scope="adapted").Flatten(logits, axis=1, _name=name)
        flat.shape, flat.type = ir.Shape(dims[:2]), logits.type
        logits = flat
    graph.outputs[:] = [logits]


def float_weights(proto: onnx.ModelProto) -> int:
    """The number of parameters in all weights of the model."""
    return sum(int(np.prod(tensor.dims)) for tensor in proto.graph.initializer)
