"""Drafting the manifest of a foreign model: what the graph says, and marked guesses for the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isqrt
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from service.errors import ModelError
from service.models.adapt import described, modernized
from service.models.detections import detector_of, suppression_of
from service.models.evidence import guess_preprocessing
from service.models.fixed_inputs import with_fixed
from service.models.heads import Head, dense_heads_of, heads_of
from service.models.labels import imagenet_labels
from service.models.manifest import Layout, Manifest, Preprocessing, Scores, Task, slug
from service.models.peeling import labels_in

USUAL_SIZE = 224
SMALLEST = 8  # sides of a picture, in pixels
_CHANNELS = {3: "RGB", 1: "L", 4: "RGBA"}
FEW = 10  # outputs that a message lists
MOST_FURTHER = 8  # outputs that a manifest lists beside the scores
SCORES = "scores"  # of the classes of a segmentation, which the service appends


@dataclass(frozen=True)
class Choices:
    """What the user says about the model. Fields that are None or empty are read from the graph or guessed.

    Attributes:
        name: The name in URLs.
        title: A line for people.
        labels: The names of the classes.
        size: Height and width that the network was trained on.
        output: The output that holds the scores.
        task: What the network tells; see `Manifest`.
        fixed: Other inputs, and what they are held fixed to.
        scores: What makes probabilities of the scores; see `Manifest`.
        preprocessing: The name of a usual preprocessing; see `evidence.PREPROCESSINGS`.
        mean: See `Preprocessing`, as the following.
        std: See there.
        scale: See there.
        channels: See there.
    """

    name: str | None = None
    title: str | None = None
    labels: Sequence[str] = ()
    size: tuple[int, int] | None = None
    output: str | None = None
    task: Task | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    scores: Scores | None = None
    preprocessing: str | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    scale: float | None = None
    channels: str | None = None


@dataclass(frozen=True)
class Drafted:
    """A manifest. guesses: why and what else it could be, by the name of the key or table that was guessed."""

    manifest: Manifest
    guesses: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Input:
    """What the shape of the graph input says. size: height and width as far as they are fixed."""

    value: ir.Value
    layout: Layout
    channels: str
    size: tuple[int | None, int | None]


def draft(proto: onnx.ModelProto, path: Path, choices: Choices) -> Drafted:
    """Draft a manifest for an ONNX file. Raises `ModelError` if it tells nothing of images that the service knows."""
    graph = ir.from_proto(modernized(with_fixed(proto, choices.fixed))).graph
    image = _image(graph, choices.size)
    detector = _detector(graph, choices)
    head, others = (detector, []) if detector else _head(graph, choices.output, choices.task)
    guesses: dict[str, str] = {}
    size = _size(image, choices.size, guesses)
    task = choices.task or _task(head, choices.scores)
    named = choices.labels or ([f"dimension {i}" for i in range(head.classes)] if task == "embedding" else ())
    labels = _labels(head.classes, named, labels_in(proto), guesses)
    preprocessing = _preprocessing(image, proto.producer_name, head.classes, choices, guesses)
    if head.guess and not choices.scores:
        guesses["scores"] = f"guess: {head.guess}"
    if others:
        guesses["logits"] = f"of several outputs with scores; the others: {', '.join(others[:FEW])} (--output)"
    name = choices.name or slug(path.stem)
    return Drafted(
        Manifest(
            name=name,
            title=choices.title or name,
            file=f"{name}.onnx",
            source=f"added from {path.name}",
            input=image.value.name or "",
            fixed=dict(choices.fixed),
            layout=image.layout,
            size=size,
            resize=round(min(size) * 256 / 224),
            preprocessing=preprocessing,
            logits=SCORES if head.is_dense or head.detection else head.logits.name or "",
            detection=head.detection,
            places=head.logits.name if head.is_dense else None,
            task=task,
            outputs=() if head.detection else _further(graph, head),
            scores=choices.scores or ("none" if task == "embedding" else head.scores),
            labels=labels,
        ),
        guesses,
    )


def _image(graph: ir.Graph, size: tuple[int, int] | None) -> Input:
    found = [image for value in graph.inputs if (image := _as_image(value, size)) is not None and _is_large(image)]
    if not found:
        shapes = ", ".join(f"{value.name} {described(value)}" for value in graph.inputs) or "none"
        raise ModelError(
            "no input has the shape of pictures, which is (N, C, H, W) or (N, H, W, C) with 1, 3 or 4 channels, "
            f"(N, H, W), or flat pixels of a square, with sides of at least {SMALLEST}; the inputs are: {shapes}"
        )
    return found[0]


def _is_large(image: Input) -> bool:
    return all(side is None or side >= SMALLEST for side in image.size)


def _as_image(value: ir.Value, size: tuple[int, int] | None) -> Input | None:
    dims = [d if isinstance(d, int) else None for d in value.shape or ()]
    if len(dims) == 4:
        for count, channels in _CHANNELS.items():
            if dims[1] == count:
                return Input(value, "NCHW", channels, (dims[2], dims[3]))
            if dims[3] == count:
                return Input(value, "NHWC", channels, (dims[1], dims[2]))
        return _as_read(value, dims)
    if len(dims) == 3 and dims[1:] != [None, None]:
        return Input(value, "NHW", "L", (dims[1], dims[2]))
    if len(dims) == 2 and dims[1] is not None:
        for count in (1, 3):
            height, width = size or (isqrt(dims[1] // count),) * 2
            if height * width * count == dims[1]:
                return Input(value, "N(CHW)", _CHANNELS[count], (height, width))
    return None


def _as_read(value: ir.Value, dims: list[int | None]) -> Input | None:
    """An input with an open number of channels, told from the convolution that reads it."""
    layout: Layout = "NCHW"
    for use in value.uses():
        node = use.node
        if node.op_type == "Transpose" and list(node.attributes.get_ints("perm", ())) == [0, 3, 1, 2]:
            layout, node = "NHWC", next((u.node for u in node.outputs[0].uses()), node)
        weights = node.inputs[1] if node.op_type == "Conv" else None
        if weights is not None and weights.shape is not None and isinstance(weights.shape[1], int):
            channels = _CHANNELS.get(weights.shape[1] * node.attributes.get_int("group", 1))
            sides = (dims[1], dims[2]) if layout == "NHWC" else (dims[2], dims[3])
            return Input(value, layout, channels, sides) if channels else None
    return None


def _size(image: Input, chosen: tuple[int, int] | None, guesses: dict[str, str]) -> tuple[int, int]:
    height, width = image.size
    for fixed, wanted, name in zip(image.size, chosen or (None, None), ("height", "width"), strict=True):
        if fixed is not None and wanted not in (None, fixed):
            raise ModelError(f"the graph takes pictures of the {name} {fixed} only, not {wanted}")
    if chosen:
        return chosen
    if height is None or width is None:
        guesses["size"] = f"guess: {USUAL_SIZE} where the graph leaves it open (--size)"
    return height or USUAL_SIZE, width or USUAL_SIZE


def _detector(graph: ir.Graph, choices: Choices) -> Head | None:
    """The boxes and scores of a detector, if that is what is asked for, or if nothing else is there."""
    if choices.task not in (None, "detection") or choices.output is not None:
        return None
    outputs = list(graph.outputs)
    told = choices.task == "detection" or suppression_of(outputs) is not None
    if not told and (heads_of(outputs) or dense_heads_of(outputs)):
        return None
    return detector_of(outputs)


def _task(head: Head, scores: Scores | None) -> Task:
    """What the network seems to tell."""
    if head.is_dense:
        return "segmentation"
    if head.detection is not None:
        return "detection"
    return {"softmax": "classification", "sigmoid": "multilabel", "none": "regression"}[scores or head.scores]  # type: ignore[return-value]


def _further(graph: ir.Graph, head: Head) -> tuple[str, ...]:
    """The other outputs that can be asked for: tables of numbers for each image."""
    found = [
        str(value.name)
        for value in graph.outputs
        if value is not head.logits
        and value.producer() is not None
        and value.dtype == ir.DataType.FLOAT
        and value.shape is not None
        and len(value.shape) >= 2
    ]
    return tuple(found[:MOST_FURTHER])


def _head(graph: ir.Graph, output: str | None, task: Task | None) -> tuple[Head, list[str]]:
    """The scores, and the names of other outputs that could be meant."""
    outputs = {str(value.name): value for value in graph.outputs}
    if output is not None and output not in outputs:
        raise ModelError(f"the graph has no output {output!r}; it has: {', '.join(outputs)}")
    asked = [outputs[output]] if output else list(outputs.values())
    heads = {} if task == "segmentation" else heads_of(asked)
    heads = heads or ({} if task not in (None, "segmentation") else dense_heads_of(asked))
    if not heads:
        shapes = ", ".join(f"{name} {described(value)}" for name, value in list(outputs.items())[:FEW])
        raise ModelError(
            "no output has the shape of scores, (N, classes), or (N, classes, height, width) for a segmentation; "
            f"the outputs are: {shapes}"
        )
    names = list(heads)
    return heads[names[0]], names[1:]


def _preprocessing(
    image: Input, producer: str, classes: int, choices: Choices, guesses: dict[str, str]
) -> Preprocessing:
    """The preprocessing that the user chose, or else a guess."""
    said = {name: getattr(choices, name) for name in ("mean", "std", "scale", "channels") if getattr(choices, name)}
    guess = guess_preprocessing(image.value, image.channels, producer, classes, image.layout, choices.preprocessing)
    if said:
        return Preprocessing.model_validate({"in_graph": False, "channels": image.channels, **said})
    if guess.why:
        guesses["preprocessing"] = f"guess: {guess.why}"
    return guess.preprocessing


def _labels(classes: int, given: Sequence[str], held: Sequence[str], guesses: dict[str, str]) -> tuple[str, ...]:
    if given:
        if len(given) != classes:
            raise ModelError(f"the network has {classes} classes, there are {len(given)} labels")
        return tuple(given)
    if len(held) == classes:
        return tuple(held)
    if classes == 1000:
        guesses["labels"] = "guess: those of ImageNet, since there are 1,000 classes (--labels FILE)"
        return imagenet_labels()
    if classes == 1001:
        guesses["labels"] = (
            "guess: those of ImageNet behind a background, since there are 1,001 classes (--labels FILE)"
        )
        return ("background", *imagenet_labels())
    guesses["labels"] = "numbers, since the file names no classes; give a file with a name a line: --labels FILE"
    return tuple(f"class {i}" for i in range(classes))
