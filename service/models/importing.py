"""Drafting the manifest of a foreign model: what the graph says, and guesses for the rest."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir

from service.autodiff.shapes import constant_value
from service.errors import ModelError
from service.models.adapt import modernized
from service.models.build import write_if_changed
from service.models.labels import imagenet_labels
from service.models.manifest import Manifest, Preprocessing, Triple, render
from service.models.reading import read_onnx

IMAGENET = Preprocessing(in_graph=False, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
BYTES = Preprocessing(in_graph=False, scale=255.0)
PASSING = ("Identity", "Flatten", "Reshape", "Squeeze", "Cast")
ARITHMETIC = (
    "Sub",
    "Div",
    "Mul",
    "Add",
    "Transpose",
    "Cast",
    "BatchNormalization",
    "Identity",
    "Unsqueeze",
    "Squeeze",
    "Gather",
    "Concat",
)
USUAL_SIZE = 224


@dataclass(frozen=True)
class Choices:
    """What the user says about the model. Fields that are None or empty are read from the graph or guessed."""

    name: str | None = None
    title: str | None = None
    labels: Sequence[str] = ()
    size: int | None = None
    mean: Triple | None = None
    std: Triple | None = None
    scale: float | None = None
    channels: str | None = None


def draft(path: Path, choices: Choices) -> Manifest:
    """Draft a manifest for an ONNX file. Raises `ModelError` if it is not an image classifier."""
    proto = read_onnx(path)
    graph = ir.from_proto(modernized(proto)).graph
    image = _image(graph)
    dims = list(image.shape or [])
    channels_last = dims[3] == 3 and dims[1] != 3
    sides = [d for d in (dims[1:3] if channels_last else dims[2:4]) if isinstance(d, int)]
    if len(set(sides)) > 1:
        raise ModelError(f"the input {image.name!r} is not square: {dims}")
    logits, classes = _logits(graph)
    size = choices.size or (sides[0] if sides else USUAL_SIZE)
    name = choices.name or path.stem
    return Manifest(
        name=name,
        title=choices.title or name,
        file=f"{name}.onnx",
        source=f"added from {path.name}",
        input=image.name or "",
        layout="NHWC" if channels_last else "NCHW",
        size=size,
        resize=round(size * 256 / 224),
        preprocessing=_preprocessing(image, proto.producer_name, choices),
        logits=logits.name or "",
        labels=_labels(classes, choices.labels),
    )


def add(path: Path, models_dir: Path, choices: Choices) -> Path:
    """Copy the file and its external weights into the models folder, and write a manifest beside it.

    Returns the path of the manifest. Raises `ModelError` if the file is not an image classifier.
    """
    manifest = draft(path, choices)
    models_dir.mkdir(parents=True, exist_ok=True)
    target = models_dir / manifest.file
    if target.resolve() != path.resolve():
        shutil.copyfile(path, target)
        for location in _external_files(path):
            shutil.copyfile(path.parent / location, models_dir / location)
    place = models_dir / f"{manifest.name}.toml"
    write_if_changed(place, render(manifest).encode())
    return place


def operators(proto: onnx.ModelProto) -> Counter[str]:
    """How often each operator occurs."""
    return Counter(node.op_type for node in proto.graph.node)


def _external_files(path: Path) -> set[str]:
    proto = onnx.load(path, load_external_data=False)
    entries = (entry for tensor in proto.graph.initializer for entry in tensor.external_data)
    return {entry.value for entry in entries if entry.key == "location"}


def _image(graph: ir.Graph) -> ir.Value:
    images = [
        value
        for value in graph.inputs
        if value.shape is not None and len(value.shape) == 4 and 3 in (value.shape[1], value.shape[3])
    ]
    if len(graph.inputs) != 1 or not images:
        shapes = ", ".join(f"{value.name}: {value.shape}" for value in graph.inputs) or "none"
        raise ModelError(f"an image classifier has one input of four axes with three channels; this graph has {shapes}")
    return images[0]


def _logits(graph: ir.Graph) -> tuple[ir.Value, int]:
    """The scores before a final softmax, and the number of classes."""
    for output in graph.outputs:
        value = _before_softmax(output)
        dims = list(value.shape or [])
        if len(dims) >= 2 and isinstance(dims[1], int) and dims[1] >= 2 and all(d == 1 for d in dims[2:]):
            return value, dims[1]
    shapes = ", ".join(f"{value.name}: {value.shape}" for value in graph.outputs)
    raise ModelError(f"no output has the shape (N, classes) of class scores; there are {shapes}")


def _before_softmax(output: ir.Value) -> ir.Value:
    """The input of a final softmax, or the output itself if there is none."""
    value = output
    while (
        (node := value.producer()) is not None
        and node.op_type in (*PASSING, "Softmax", "LogSoftmax")
        and node.inputs[0] is not None
    ):
        value = node.inputs[0]
        if node.op_type in ("Softmax", "LogSoftmax"):
            return value
    return output


def _preprocessing(image: ir.Value, producer: str, choices: Choices) -> Preprocessing:
    """The preprocessing that the user chose, or else a guess: arithmetic in the first nodes is preprocessing."""
    said = {
        key: getattr(choices, key) for key in ("mean", "std", "scale", "channels") if getattr(choices, key) is not None
    }
    if said:
        return Preprocessing(in_graph=False, **said)
    if producer == "convlens":
        return Preprocessing(in_graph=True)
    largest, found, value = 0.0, False, image
    while len(value.uses()) == 1:
        node = next(iter(value.uses())).node
        if node.op_type not in ARITHMETIC:
            break
        constants = [constant_value(x) for x in node.inputs]
        if node.op_type in ("Sub", "Div", "Mul", "Add", "BatchNormalization"):
            found = True
            largest = max([largest, *(float(abs(c).max()) for c in constants if c is not None and c.size)])
        value = node.outputs[0]
    if not found:
        return IMAGENET
    return BYTES if largest > 2 and largest < 1000 else Preprocessing(in_graph=True)


def _labels(classes: int, given: Sequence[str]) -> tuple[str, ...]:
    if given:
        if len(given) != classes:
            raise ModelError(f"the network has {classes} classes, there are {len(given)} labels")
        return tuple(given)
    if classes == 1000:
        return imagenet_labels()
    if classes == 1001:
        return ("background", *imagenet_labels())
    return tuple(f"class {i}" for i in range(classes))
