"""Answers that tell what there is: models, layers, classes, methods, and the state of the process."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from service.attribution.method import Need, Sign
from service.models.manifest import Scores, Task


class ModelSummary(BaseModel):
    """A model in the list."""

    name: str
    title: str
    task: Annotated[
        Task | None, Field(description="What it tells; `POST /predict` answers in that way. Null if it is not known.")
    ]
    classes: int
    default: bool
    served: Annotated[bool, Field(description="Whether it can be used now; not while it is being tried out.")]
    problem: Annotated[str | None, Field(description="Why it is not served.")]


class ModelDetails(ModelSummary):
    """Everything about a model but its class names."""

    source: str
    sha256: str
    weights_sha256: str | None
    size: Annotated[int, Field(description="Short side of what the network was trained on, in pixels.")]
    height: Annotated[int, Field(description="Height of what the network was trained on, in pixels.")]
    width: Annotated[int, Field(description="Width of what the network was trained on, in pixels.")]
    outputs: Annotated[
        tuple[str, ...], Field(description="Values that targets like `output:NAME[0]` can name, the scores first.")
    ]
    scores: Annotated[
        Scores, Field(description="What makes probabilities of the scores; `none` where they are no probabilities.")
    ]
    any_size: Annotated[bool, Field(description="Whether it takes pictures of other sizes too.")]
    quantized: Annotated[
        bool, Field(description="Whether its numbers are rounded; gradients pass the rounding as if it were not there.")
    ]
    layers: Annotated[
        tuple[str, ...], Field(description="Layers of interest; all of them are at `/models/{name}/layers`.")
    ]
    preprocessing: dict[str, Any]


class LayerAnswer(BaseModel):
    """A layer of a model."""

    name: str
    operator: Annotated[str, Field(description="The ONNX operator that computes it.")]
    channels: int
    leading: Annotated[
        int | None,
        Field(description="Tokens before those of the grid, such as a class token, for the tokens of a transformer."),
    ]
    size: Annotated[tuple[int, int] | None, Field(description="Height and width, for a picture of the model's size.")]
    listed: Annotated[bool, Field(description="Whether the manifest names it as one of interest.")]
    default: Annotated[bool, Field(description="Whether class activation maps look here by default.")]


class MethodAnswer(BaseModel):
    """An attribution method."""

    name: str
    family: Annotated[str, Field(description="What it works with: gradients, paths, coalitions of cells and so on.")]
    summary: Annotated[str, Field(description="What the map shows.")]
    when: Annotated[str, Field(description="When to use it, and when not.")]
    paper: str
    warning: Annotated[str | None, Field(description="What to beware of.")]
    sign: Annotated[Sign, Field(description="Which values of its map a picture shows by default.")]
    needs: Annotated[Need | None, Field(description="What a network must have; null if any network will do.")]
    evaluations: Annotated[
        int, Field(description="Runs of the network for a picture of 224 x 224 with the default parameters.")
    ]
    parameters: Annotated[dict[str, Any], Field(description="JSON Schema of each parameter.")]


class ClassName(BaseModel):
    """A class of a model."""

    class_id: int
    name: str


class Health(BaseModel):
    """The state of the process."""

    status: Literal["ok"] = "ok"
    version: str
    provider: str
    models: list[str]


class Ready(BaseModel):
    """Whether requests are answered at full speed."""

    status: Literal["ready"] = "ready"
