"""The manifest of a model: a TOML file beside the ONNX file that states what the graph does not."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import ModelError

Triple = tuple[float, float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preprocessing(_Strict):
    """How a [0, 1] RGB pixel becomes what the network was trained on: (channels(pixel) · scale − mean) / std.

    in_graph: whether that is part of the ONNX file already, and here only recorded for those who read the manifest. If
    not, the service puts it in front of the network.
    """

    in_graph: bool = True

    channels: Literal["RGB", "BGR"] = "RGB"
    scale: float = 1.0
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)


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
    input: Annotated[str, Field(description="Graph input: one image, float32, four axes.")] = "image"
    layout: Annotated[Literal["NCHW", "NHWC"], Field(description="Axes of the graph input.")] = "NCHW"
    size: Annotated[
        int, Field(ge=8, le=4096, description="Side of the square that the network was trained on, in pixels.")
    ] = 224
    resize: Annotated[int, Field(ge=8, le=4096, description="Short side before a centre crop, in pixels.")] = 256
    preprocessing: Preprocessing = Preprocessing()
    logits: Annotated[
        str, Field(description="The value that holds one score per class: (N, classes), before a softmax.")
    ] = "logits"
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
    labels: Annotated[tuple[str, ...], Field(min_length=2, description="The class names in the order of their ids.")]


def read(path: Path) -> Manifest:
    """Parse a manifest. Raises `ModelError` with the name of the file and the reason if it cannot be used."""
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelError(f"the manifest {path.name} cannot be used: {error}") from error


def render(manifest: Manifest) -> str:
    """The TOML text of a manifest."""
    return tomli_w.dumps(manifest.model_dump(mode="json", exclude_none=True))
