"""Bringing the graphs of any exporter into the one form that the service works with.

In that form the opset is 18 or newer, constants are folded and all numbers are float32. The input is (N, 3, H, W), RGB,
in [0, 1]. The output has one score per class, (N, classes), taken before a final softmax or sigmoid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from onnx import inliner
from onnxscript import optimizer

from service.autodiff import Ops
from service.autodiff.lowering import write_out
from service.autodiff.quantization import INTEGER_ARITHMETIC, MAKE_OR_TAKE_INTEGERS
from service.autodiff.shapes import operand, optional_operand
from service.autodiff.versions import OPSET_FLOOR, at_opset_floor
from service.errors import ModelError
from service.graphs.constants import fold
from service.graphs.offload import offload, skeleton
from service.models.boxes import expose_detections
from service.models.fixed_inputs import with_fixed
from service.models.floats import to_float32
from service.models.manifest import Manifest, Preprocessing
from service.models.preprocessing import arrange, picture_axes, preprocess

Side = int | None  # None where any will do


@dataclass(frozen=True)
class Adapted:
    """A model in the form of the service.

    Attributes:
        proto: The model.
        height: The only height of images that the graph admits; None if it takes any.
        width: The only width of images that the graph admits; None if it takes any.
        batch: The only number of images that the graph takes at once; None if it takes any.
    """

    proto: onnx.ModelProto
    height: Side = None
    width: Side = None
    batch: int | None = None


def adapt(proto: onnx.ModelProto, manifest: Manifest) -> Adapted:
    """Bring a model into the form of the service. Raises `ModelError` with the reason if that is impossible."""
    if is_canonical(proto, manifest):
        return Adapted(proto)
    model = ir.from_proto(modernized(with_fixed(proto, manifest.fixed)))
    graph = model.graph
    image = _image_input(graph, manifest)
    height, width = _admitted(image, manifest)
    batch = image.shape[0] if image.shape is not None and isinstance(image.shape[0], int) else None
    _prepend(graph, image, manifest, [batch or "N", 3, height or "H", width or "W"])
    _expose_logits(graph, manifest)
    _drop_other_inputs(model, image)
    graph.sort()
    adapted = onnx.shape_inference.infer_shapes(ir.to_proto(model))
    try:
        onnx.checker.check_model(skeleton(adapted), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"the adapted model is not valid: {str(error)[:500]}") from error
    offload(adapted)  # what folding has made
    return Adapted(adapted, height, width, batch)


def is_canonical(proto: onnx.ModelProto, manifest: Manifest) -> bool:
    """Whether the model already has the form of the service, as the built-in one does; it is then left unchanged."""
    return manifest.preprocessing.in_graph and manifest.layout == "NCHW" and proto.producer_name == "convlens"


def modernized(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model at a sufficient opset, in float32, with functions inlined and constants folded.

    Integer arithmetic of quantized networks is written out in floats between roundings. Raises `ModelError` if a tool
    cannot process the model.
    """
    try:
        model = ir.from_proto(inliner.inline_local_functions(at_opset_floor(proto)))
        if to_float32(model):
            model = _inferred(model)
        if any(node.op_type in MAKE_OR_TAKE_INTEGERS for node in model.graph):
            write_out(model, INTEGER_ARITHMETIC)
        fold(model)
        return onnx.shape_inference.infer_shapes(ir.to_proto(model), data_prop=True)
    except Exception as error:  # the tools raise many types without a common base
        raise ModelError(f"the model cannot be brought to opset {OPSET_FLOOR}: {str(error)[:300]}") from error


def _inferred(model: ir.Model) -> ir.Model:
    """The model with the types of its inner values as they follow from its inputs."""
    proto = ir.to_proto(model)
    del proto.graph.value_info[:]
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))


def _image_input(graph: ir.Graph, manifest: Manifest) -> ir.Value:
    found = {value.name: value for value in graph.inputs}
    if manifest.input not in found:
        raise ModelError(
            f"the manifest names the input {manifest.input!r}, the graph has: {', '.join(map(str, found)) or 'none'}"
        )
    return found[manifest.input]


def _drop_other_inputs(model: ir.Model, image: ir.Value) -> None:
    """Remove what the scores do not depend on. Raises `ModelError` if they need another input than the image."""
    optimizer.remove_unused_nodes(model)
    needed = [str(value.name) for value in model.graph.inputs if value is not image and value.uses()]
    if needed:
        raise ModelError(f"the scores need other inputs beside the image: {', '.join(needed)} (--fix NAME=NUMBERS)")
    model.graph.inputs[:] = [image]


def _admitted(image: ir.Value, manifest: Manifest) -> Sequence[Side]:
    """Height and width that the graph admits."""
    dims = [d if isinstance(d, int) else None for d in image.shape or ()]
    channels = len(manifest.preprocessing.channels)
    sides = picture_axes(dims, manifest.layout, manifest.size, channels)
    if sides is None:
        raise ModelError(
            f"the input {manifest.input!r} has the axes {described(image)}, "
            f"which are no {manifest.layout} with {channels} channels"
        )
    for name, side, own in zip(("height", "width"), sides, manifest.size, strict=True):
        if side not in (None, own):
            raise ModelError(f"the manifest gives the {name} {own}, the graph takes {side} only")
    return sides


def described(value: ir.Value) -> str:
    """The sizes of a value as people write them: ``(N, 3, 224, 224)``, with a ? for what has no name."""
    if value.shape is None:
        return "(unknown)"
    return f"({', '.join(str(d) if isinstance(d, int) else d.value or '?' for d in value.shape)})"


def _prepend(graph: ir.Graph, image: ir.Value, manifest: Manifest, dims: list[int | str]) -> None:
    """Insert the preprocessing and the change of layout between the image and the nodes that read it."""
    given, image.dtype = image.dtype, ir.DataType.FLOAT
    if given != ir.DataType.FLOAT:
        _accept_floats(graph, image, given)
    readers = list(image.uses())
    image.shape = ir.Shape(dims)
    op = Ops(graph, scope="adapted")
    value = image if _is_done(manifest.preprocessing) else preprocess(op, image, manifest.preprocessing)
    value = arrange(op, value, manifest.layout)
    if value is not image:
        for use in readers:
            use.node.replace_input_with(use.idx, value)


def _is_done(preprocessing: Preprocessing) -> bool:
    return preprocessing.in_graph and len(preprocessing.channels) == len("RGB")


def _accept_floats(graph: ir.Graph, image: ir.Value, given: ir.DataType | None) -> None:
    """Have the readers of an image of integers read numbers: casts go, and dequantization is a product."""
    op = Ops(graph, scope="adapted")
    reached = [image]
    for value in reached:
        for node in [use.node for use in value.uses()]:
            if node.op_type in _MOVING:
                node.outputs[0].dtype = ir.DataType.FLOAT
                reached.append(node.outputs[0])
                continue
            if node.op_type == "DequantizeLinear":
                scale, zero = operand(node, 1), optional_operand(node, 2)
                numbers = op.Mul(value if zero is None else op.Sub(value, op.Cast(zero, to=ir.DataType.FLOAT)), scale)
            elif node.op_type in ("Cast", "CastLike"):
                numbers = value
            else:
                raise ModelError(f"the input {image.name!r} is {given}, and {node.op_type} needs it to be")
            ir.convenience.replace_all_uses_with(node.outputs[0], numbers)
            graph.remove(node, safe=True)


_MOVING = frozenset("Transpose Reshape Squeeze Unsqueeze Identity Slice Resize Flatten".split())


def _expose_logits(graph: ir.Graph, manifest: Manifest) -> None:
    """Make the scores (N, classes) an output, the first one, with those that the manifest names behind it."""
    values = {value.name: value for node in graph for value in node.outputs}
    kept = [] if manifest.detection is None else expose_detections(graph, values, manifest)
    values |= {value.name: value for value in kept}
    for wanted in [manifest.places or manifest.logits, *manifest.outputs]:
        if wanted not in values:
            raise ModelError(f"the graph has no value {wanted!r}, which the manifest names as its logits or outputs")
    kept += [values[name] for name in manifest.outputs]
    if manifest.places is not None:
        places, values[manifest.logits] = _means(graph, values[manifest.places], manifest)
        kept.append(places)
    logits = values[manifest.logits]
    classes = len(manifest.labels)
    if score_count(logits) not in (None, classes) or _count(logits) not in (None, classes):
        raise ModelError(
            f"the logits {manifest.logits!r} have the shape {described(logits)}; {classes} labels need (N, {classes})"
        )
    if len(logits.shape or ()) != 2:
        name, logits.name = logits.name, f"{logits.name}/unflattened"
        flat = Ops(graph, scope="adapted").Reshape(logits, np.array([-1, classes]), _name=name)
        flat.type = logits.type
        logits = flat
    logits.shape = ir.Shape([logits.shape[0] if logits.shape is not None else "N", classes])
    graph.outputs[:] = [logits, *(value for value in kept if value is not logits)]


def _means(graph: ir.Graph, places: ir.Value, manifest: Manifest) -> tuple[ir.Value, ir.Value]:
    """Scores (N, classes, height, width), and their means (N, classes) over all places."""
    op, dims = Ops(graph, scope="adapted"), list(places.shape or ())
    if len(dims) == 4 and dims[3] == len(manifest.labels) != dims[1]:  # the classes last
        places.name, dims = f"{places.name}/classes_last", [dims[0], dims[3], *dims[1:3]]
        first = op.Transpose(places, perm=[0, 3, 1, 2], _name=manifest.places)
        first.type, first.shape = places.type, ir.Shape(dims)
        places = first
    if len(dims) != 4 or (isinstance(dims[1], int) and dims[1] != len(manifest.labels)):
        raise ModelError(
            f"{manifest.places!r} has the shape {described(places)}; {len(manifest.labels)} labels need "
            f"(N, {len(manifest.labels)}, height, width)"
        )
    means = op.ReduceMean(places, op.constant([2, 3]), keepdims=0, _name=manifest.logits)
    means.type, means.shape = places.type, ir.Shape([dims[0], len(manifest.labels)])
    return places, means


def score_count(value: ir.Value) -> int | None:
    """The number of classes of a value with one score for each, and no other axes but of size 1; None if unknown."""
    dims = list(value.shape or ())
    if value.dtype not in (None, ir.DataType.FLOAT) or not dims:
        return None
    if len(dims) == 1:  # one score an image, (N,), or all scores of one image
        return dims[0] if isinstance(dims[0], int) and dims[0] > 1 else 1
    others = [d for d in dims[1:] if d != 1]
    if not others:
        return 1
    return others[0] if len(others) == 1 and isinstance(others[0], int) else None


def _count(value: ir.Value) -> int | None:
    """The number of values for each image; None if it is open."""
    sizes = [dim for dim in list(value.shape or ())[1:] if isinstance(dim, int)]
    return int(np.prod(sizes)) if value.shape is not None and len(sizes) == len(value.shape) - 1 > 0 else None


def weight_count(proto: onnx.ModelProto) -> int:
    """The number of parameters in all weights of the model."""
    return sum(int(np.prod(tensor.dims)) for tensor in proto.graph.initializer)
