"""Answers of `POST /predict`."""

from typing import Annotated

from pydantic import BaseModel, Field

from service.api.schemas import Meta, Prediction
from service.models.manifest import Task


class Covered(BaseModel):
    """A class of a segmentation."""

    class_id: int
    name: str
    share: Annotated[float, Field(description="Of the places that the network sees.")]
    run_lengths: Annotated[
        list[int],
        Field(description="Lengths of runs without and with the class by turns, column by column (as in COCO)."),
    ]


class Mask(BaseModel):
    """The class of each place."""

    width: int
    height: int
    box: Annotated[
        tuple[int, int, int, int],
        Field(description="What of the photograph it covers: left, upper, right, lower, in pixels."),
    ]
    classes: Annotated[list[Covered], Field(description="The classes that are there, the largest first.")]
    png: Annotated[str, Field(description="A grey PNG in base64 whose levels are class ids, 255 for none.")]


class Object(Prediction):
    """An object that was detected."""

    box: Annotated[
        tuple[float, float, float, float],
        Field(description="Left, upper, right and lower edge in the photograph, in pixels."),
    ]


class PredictResult(BaseModel):
    """What the network says of one photograph; what does not belong to its task is null."""

    task: Task
    predictions: Annotated[
        list[Prediction] | None,
        Field(description="The most probable classes, best first; those that apply for `multilabel`."),
    ] = None
    values: Annotated[dict[str, float] | None, Field(description="The numbers of a regression by name.")] = None
    mask: Annotated[Mask | None, Field(description="The segmentation.")] = None
    objects: Annotated[
        list[Object] | None,
        Field(description="What a detector finds, the most likely first: the k-th is the target `detection:k`."),
    ] = None
    vector: Annotated[list[float] | None, Field(description="The embedding.")] = None
    similarity: Annotated[
        float | None, Field(description="Cosine of the angle to the vector of the picture in the field `other`.")
    ] = None


class PredictAnswer(BaseModel):
    """Answer of `POST /predict`: one entry per image, in the order sent."""

    meta: Meta
    data: list[PredictResult]
