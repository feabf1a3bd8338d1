"""What trying out a network tells: what its graph holds, how fast it is, and how good its gradient."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.models.manifest import Layout, Scores, Task


class Contents(BaseModel):
    """What a graph holds."""

    model_config = ConfigDict(frozen=True)

    task: Task
    input: Annotated[str, Field(description="Name of the input of the graph.")]
    layout: Layout
    height: Annotated[int | None, Field(description="In pixels; null where the graph leaves it open.")]
    width: Annotated[int | None, Field(description="In pixels; null where the graph leaves it open.")]
    any_size: bool
    batch: Annotated[int | None, Field(description="Images of a run, where the graph fixes it.")]
    logits: Annotated[str, Field(description="Name of the value with the scores.")]
    classes: int
    scores: Scores
    preprocessing: Annotated[str, Field(description="How pixels become what the network was trained on.")]
    weights: Annotated[int, Field(description="How many numbers it has learned.")]
    operators: Annotated[dict[str, int], Field(description="How often each operator occurs.")]
    layers: Annotated[int, Field(description="How many layers can be looked at.")]
    cam_layer: Annotated[str | None, Field(description="The layer of class activation maps.")]


class Measured(BaseModel):
    """What runs of a network tell."""

    model_config = ConfigDict(frozen=True)

    forward_ms: Annotated[float, Field(description="A picture, on one core.")]
    gradient_ms: Annotated[float, Field(description="A picture with the gradient, on one core.")]
    quantized: Annotated[bool, Field(description="Whether numbers are rounded, so that differences tell nothing.")]
    gradient_error: Annotated[
        float | None,
        Field(description="How far the gradient is from central differences, of its size; null if that tells nothing."),
    ]


class Report(Contents, Measured):
    """What trying out a network has shown."""

    guesses: Annotated[dict[str, str], Field(description="What the file does not say, and how it was guessed.")] = {}
