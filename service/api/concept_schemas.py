"""Answers of the requests about what the channels of a layer see together."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.api.schemas import CAT, META, Classified, Meta, Prediction


class ChannelWeight(BaseModel):
    """The part of a channel in a factor."""

    channel: int
    weight: Annotated[float, Field(description="The weights of all channels have a square sum of 1.")]


class FactorAnswer(BaseModel):
    """A factor of a layer."""

    colour: Annotated[str, Field(description="In which pictures show it.")]
    importance: Annotated[
        float, Field(description="What it adds to the score of the class, the mean over the photographs.")
    ]
    channels: Annotated[list[ChannelWeight], Field(description="The channels with the largest weights.")]


class FactorsOfPhotograph(Classified):
    """The factors in one photograph."""

    explained: Annotated[Prediction, Field(description="The class that the importances are about.")]
    score: Annotated[float, Field(description="The score of that class.")]
    importances: Annotated[
        list[float],
        Field(description="What each factor adds to the score: gradient times activation, summed over all places."),
    ]
    total: Annotated[
        float,
        Field(description="Gradient times activation of the whole layer; the factors leave the rest unexplained."),
    ]
    places: Annotated[
        list[tuple[float, float]],
        Field(description="Where each factor is the strongest: x and y, as shares of what the network saw."),
    ]


class ConceptsOfLayer(BaseModel):
    """The factors of a layer."""

    layer: str
    factors: Annotated[list[FactorAnswer], Field(description="The most important first.")]
    relative_error: Annotated[
        float, Field(description="The norm of what the factors leave over, as a share of that of the activations.")
    ]
    negative: Annotated[
        float, Field(description="Share of the squared activations that is below 0; factors are of what is above.")
    ]
    photographs: Annotated[list[FactorsOfPhotograph], Field(description="In the order sent.")]
    png: Annotated[str, Field(description="The photographs in the colours of the factors: a PNG in base64.")]


_DATA: dict[str, JsonValue] = {
    "layer": "fire9",
    "factors": [
        {"colour": "#e69f00", "importance": 10.19, "channels": [{"channel": 402, "weight": 0.31}]},
        {"colour": "#56b4e9", "importance": 9.32, "channels": [{"channel": 88, "weight": 0.27}]},
    ],
    "relative_error": 0.78,
    "negative": 0.0,
    "photographs": [
        {
            "predictions": [CAT],
            "explained": CAT,
            "score": 31.96,
            "importances": [10.19, 9.32],
            "total": 31.94,
            "places": [[0.42, 0.58], [0.35, 0.35]],
        }
    ],
    "png": "iVBORw0KGgo…",
}


class ConceptsAnswer(BaseModel):
    """Answer of `POST /concepts`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"meta": META, "data": _DATA}]})

    meta: Meta
    data: ConceptsOfLayer


class ChannelConductance(BaseModel):
    """What a channel carries of the score."""

    channel: int
    conductance: Annotated[float, Field(description="In units of the score; negative where it speaks against it.")]
    share: Annotated[
        float | None, Field(description="Of what the whole layer carries; null where that is 0.", examples=[0.05])
    ]


class ConductanceOfLayer(Classified):
    """What the channels of a layer carry of the score of a class."""

    layer: str
    explained: Annotated[Prediction, Field(description="The class that is carried.")]
    other_class_id: Annotated[int | None, Field(description="The class in contrast.")]
    score: Annotated[float, Field(description="The score of the class; in contrast, less that of the other class.")]
    score_difference: Annotated[float, Field(description="The score less that at the baseline.")]
    completeness_error: Annotated[
        float,
        Field(
            description="What all channels carry less `score_difference`: small for enough `steps`, unless the score "
            "depends on paths that pass by the layer."
        ),
    ]
    channels: Annotated[int, Field(description="Number of channels of the layer.")]
    strongest: Annotated[
        list[ChannelConductance],
        Field(description="The channels that carry most, in whichever direction, at most `channels` of them."),
    ]
    png: Annotated[str, Field(description="Where they carry it, strongest first: a PNG in base64.")]


_CARRIED: dict[str, JsonValue] = {
    "predictions": [CAT],
    "layer": "fire9",
    "explained": CAT,
    "other_class_id": None,
    "score": 31.96,
    "score_difference": 27.46,
    "completeness_error": -0.01,
    "channels": 512,
    "strongest": [{"channel": 488, "conductance": 3.54, "share": 0.13}],
    "png": "iVBORw0KGgo…",
}


class ConductanceAnswer(BaseModel):
    """Answer of `POST /conductance`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"meta": META, "data": _CARRIED}]})

    meta: Meta
    data: ConductanceOfLayer


class SensitivityAnswer(BaseModel):
    """One photograph of the class."""

    score: Annotated[float, Field(description="The score of the class.")]
    sensitivity: Annotated[
        float, Field(description="Its derivative along the direction of the concept, the mean of all splits.")
    ]


class TcavResult(BaseModel):
    """Whether the score of a class grows in the direction of a concept."""

    layer: str
    class_id: int
    name: str
    score: Annotated[
        float,
        Field(description="The TCAV score: the share of the photographs whose score grows, the mean of all splits."),
    ]
    deviation: Annotated[float, Field(description="Standard deviation of the score over the splits.")]
    scores: Annotated[list[float], Field(description="The score in each split.")]
    random_score: Annotated[float, Field(description="The mean score of directions between random pictures.")]
    random_scores: Annotated[list[float], Field(description="That of each split.")]
    p_value: Annotated[
        float,
        Field(
            description="How likely both would differ as much if the concept meant nothing: Welch's two-sided t-test. "
            "Splits share pictures, so it is a lower bound. Above 0.05 the score says nothing."
        ),
    ]
    accuracy: Annotated[
        float,
        Field(
            description="Share of the pictures held out that the directions tell apart. Near 0.5 the layer does not "
            "know the concept."
        ),
    ]
    random_accuracy: Annotated[float, Field(description="The same between random pictures.")]
    photographs: Annotated[list[SensitivityAnswer], Field(description="In the order sent.")]


_TESTED: dict[str, JsonValue] = {
    "layer": "fire9",
    "class_id": 340,
    "name": "zebra",
    "score": 1.0,
    "deviation": 0.0,
    "scores": [1.0, 1.0],
    "random_score": 0.6,
    "random_scores": [1.0, 0.2],
    "p_value": 0.0021,
    "accuracy": 0.98,
    "random_accuracy": 0.53,
    "photographs": [{"score": 17.3, "sensitivity": 0.021}],
}


class TcavAnswer(BaseModel):
    """Answer of `POST /tcav`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"meta": META, "data": _TESTED}]})

    meta: Meta
    data: TcavResult
