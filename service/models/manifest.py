"""The manifest of a model: a TOML file beside the ONNX file that states what the graph does not."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError, model_validator

from service.errors import ModelError

Channels = Literal["RGB", "BGR", "L", "RGBA"]
Layout = Literal["NCHW", "NHWC", "NHW", "N(CHW)", "N(HWC)"]
Scores = Literal["softmax", "sigmoid", "none"]
Task = Literal["classification", "multilabel", "regression", "segmentation", "detection", "embedding"]
LUMA = (0.299, 0.587, 0.114)  # grey as in most image libraries (ITU-R BT.601)
PREPROCESSED = "preprocessed"  # the name of the value that a network takes, where the service preprocesses


def _height_and_width(value: Any) -> Any:
    """One number is the side of a square."""
    return (value, value) if isinstance(value, int) else value


def _one_number_if_square(value: tuple[int, int]) -> int | tuple[int, int]:
    return value[0] if value[0] == value[1] else value


Side = Annotated[int, Field(ge=8, le=4096)]
Size = Annotated[
    tuple[Side, Side],
    BeforeValidator(_height_and_width, json_schema_input_type=Side | tuple[Side, Side]),
    PlainSerializer(_one_number_if_square, when_used="json"),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preprocessing(_Strict):
    """How a [0, 1] RGB pixel becomes what the network was trained on: (channels(pixel) · scale − mean) / std.

    Attributes:
        in_graph: Whether that is part of the ONNX file already, and here only recorded for those who read the manifest.
            If not, the service puts it in front of the network.
        channels: The channels of the network in their order. ``L`` is one of grey; the fourth of ``RGBA`` is opaque.
        scale: What a full channel becomes, 1 or 255 for most networks.
        mean: What is subtracted after that, for each channel; one number is for all.
        std: By what each channel is divided at last; one number is for all.
    """

    in_graph: bool = True

    channels: Channels = "RGB"
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _one_number_a_channel(self) -> Self:
        for name, default in (("mean", 0.0), ("std", 1.0)):
            numbers = getattr(self, name) or (default,)
            if len(numbers) == 1:
                numbers = numbers * len(self.channels)
            if len(numbers) != len(self.channels):
                raise ValueError(f"{name} has {len(numbers)} numbers for {len(self.channels)} channels")
            object.__setattr__(self, name, numbers)  # the model is frozen, but not before it is complete
        if 0.0 in self.std:
            raise ValueError("std must not be 0")
        return self


class Detection(_Strict):
    """Where a detector has its boxes.

    Attributes:
        scores: The value (N, boxes, classes); there may be one more column at the end, for nothing.
        boxes: The value (N, boxes, 4).
        format: What the four numbers are: centre x, centre y, width, height, or left, upper, right, lower, or upper,
            left, lower, right.
        unit: What a width of 1 is: that of the picture, or a pixel of what the network sees.
        table: The value that holds both, which the service cuts into ``scores`` and ``boxes``; None if they are apart.
        has_objectness: Whether a row of the table has boxes, how likely they hold anything, and scores (YOLO to version
            7). If not, a column has boxes and scores.
        classes_first: Whether the scores are (N, classes, boxes), as a suppression in the graph takes them.
    """

    scores: str
    boxes: str
    format: Literal["centre", "corners", "rows_first"]
    unit: Literal["picture", "pixel"]
    table: str | None = None
    has_objectness: bool = False
    classes_first: bool = False


class Manifest(_Strict):
    """What the service must know of a model beside its graph."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="The name in URLs.")]
    title: Annotated[str, Field(description="A line for people.")]
    file: Annotated[str, Field(pattern=r"^[^/\\]+\.onnx$", description="The ONNX file, in the folder of the manifest.")]
    source: Annotated[str, Field(description="Where the weights come from.")] = ""
    weights_sha256: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-f]{64}$", description="Hash of the weights it was built from; of the ONNX file if absent."
        ),
    ] = None
    input: Annotated[str, Field(description="Graph input: the image.")] = "image"
    fixed: Annotated[
        dict[str, Any],
        Field(description="Other inputs of the graph, and what they are held fixed to: numbers, or lists of them."),
    ] = {}
    layout: Annotated[
        Layout, Field(description="Axes of the graph input; those in parentheses are one axis, in that order.")
    ] = "NCHW"
    size: Annotated[
        Size,
        Field(
            description="Height and width that the network was trained on, in pixels; one number for a square.",
        ),
    ] = (224, 224)
    resize: Annotated[int, Field(ge=8, le=4096, description="Short side before a centre crop, in pixels.")] = 256
    preprocessing: Preprocessing = Preprocessing()
    logits: Annotated[
        str, Field(description="The value that holds one score per class: (N, classes), before a softmax or sigmoid.")
    ] = "logits"
    task: Annotated[
        Task,
        Field(
            description=(
                "What the network tells: the class of a picture, several that apply, numbers, the class of each place, "
                "boxes around objects, or a vector that is near to those of similar pictures."
            )
        ),
    ] = "classification"
    places: Annotated[
        str | None,
        Field(
            description="For `segmentation`: the value (N, classes, height, width) of the graph; `logits` then is the "
            "name of its means over all places, which the service appends."
        ),
    ] = None
    detection: Annotated[
        Detection | None,
        Field(
            description="For `detection`: where the boxes are; `logits` then is the name of the best score of each "
            "class, which the service appends."
        ),
    ] = None
    outputs: Annotated[
        tuple[str, ...], Field(description="Further outputs of the graph that can be asked for and explained.")
    ] = ()
    scores: Annotated[
        Scores,
        Field(
            description=(
                "What makes probabilities of the scores: `softmax` where a picture is of one class, `sigmoid` where "
                "each class is a question of its own, `none` where they are no probabilities."
            )
        ),
    ] = "softmax"
    logits_before_relu: Annotated[
        str | None,
        Field(description="Differentiated instead of a score that is exactly 0, if the network ends in a ReLU."),
    ] = None
    layers: Annotated[tuple[str, ...], Field(description="Values of interest, from the input to the output.")] = ()
    cam_layer: Annotated[
        str | None,
        Field(
            description=(
                "Where class activation maps look by default: the last features; found from the graph if absent."
            )
        ),
    ] = None
    labels: Annotated[tuple[str, ...], Field(min_length=1, description="The class names in the order of their ids.")]


def slug(stem: str) -> str:
    """A name for URLs from that of a file."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64] or "model"


def read(path: Path) -> Manifest:
    """Parse a manifest. Raises `ModelError` with the name of the file and the reason if it cannot be used."""
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelError(f"the manifest {path.name} cannot be used: {error}") from error


def render(manifest: Manifest, comments: Mapping[str, str] = MappingProxyType({})) -> str:
    """The TOML text of a manifest. comments: what stands above the line of a key or of a table, by its name."""
    lines = []
    for line in tomli_w.dumps(manifest.model_dump(mode="json", exclude_none=True)).splitlines():
        key = line.strip("[]") if line.startswith("[") else line.partition(" =")[0]
        lines += [f"# {words}" for words in comments.get(key, "").splitlines()]
        lines.append(line)
    return "\n".join(lines) + "\n"
