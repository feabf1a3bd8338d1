"""Answers about how far saliency maps can be trusted."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.api.schemas import META, Meta
from service.saliency.metrics.metric import Better


class CurveAnswer(BaseModel):
    """Probability of the class while pixels are taken away or put back, the hottest first."""

    fractions: Annotated[list[float], Field(description="Share of the pixels.")]
    deletion: Annotated[list[float], Field(description="Probability when they are black.")]
    insertion: Annotated[list[float], Field(description="Probability when only they are sharp.")]
    deletion_area: Annotated[float, Field(description="Under the deletion curve: less is better.")]
    insertion_area: Annotated[float, Field(description="Under the insertion curve: more is better.")]


class RandomizationStage(BaseModel):
    """A stage of the randomization of the weights."""

    layers: Annotated[int, Field(description="How many layers are random, counted from the last one.")]
    first: Annotated[str, Field(description="The first random layer.")]
    similarity: Annotated[
        float,
        Field(description="Rank correlation with the original map: near 1 means that it does not see the weights."),
    ]


class Completeness(BaseModel):
    """Whether the map sums up to what the score has gained over a black picture, as integrated gradients promise."""

    map_sum: float
    score_difference: float


class MeasuredAnswer(BaseModel):
    """What a metric says of a map."""

    value: Annotated[float | None, Field(description="Null where it is not defined, for a map of zeros for instance.")]
    at: Annotated[
        list[float | str],
        Field(
            description="Where the series was taken that the value sums up: shares of the pixels, layers or a class."
        ),
    ]
    series: list[float]


class EvaluationResult(BaseModel):
    """A method put to the test on one photograph."""

    class_id: Annotated[int | None, Field(description="Null for a target other than a class.")]
    name: str | None
    curves: Annotated[
        dict[str, CurveAnswer],
        Field(
            description="By map: that of the method, `random` and `edges`. "
            "Empty unless both `deletion` and `insertion` are measured."
        ),
    ]
    completeness: Completeness
    randomization: Annotated[
        list[RandomizationStage], Field(description="Of `cascading_randomization`, if it is measured.")
    ]
    metrics: Annotated[
        dict[str, dict[str, MeasuredAnswer]],
        Field(
            description="By metric, then by map: that of the method, `random` and `edges`. See `GET /evaluate/metrics`."
        ),
    ]
    notes: Annotated[dict[str, float], Field(description="What the method has to say beside its map.")]


class EvaluateAnswer(BaseModel):
    """Answer of `POST /evaluate`."""

    meta: Meta
    data: EvaluationResult


class MetricAnswer(BaseModel):
    """A metric of saliency maps."""

    name: str
    summary: Annotated[str, Field(description="What is measured.")]
    paper: str
    better: Annotated[Better, Field(description="Which values are better.")]
    limits: Annotated[str, Field(description="What it can and cannot tell.")]
    default: Annotated[bool, Field(description="Whether it is measured unless others are named.")]
    needs_region: Annotated[bool, Field(description="Whether it needs a `box` or a `mask`.")]
    evaluations: Annotated[
        int,
        Field(
            description="Runs of the network for a method that takes one run, and the baselines, with the default "
            "parameters of `/evaluate`."
        ),
    ]


class ComparedMethod(BaseModel):
    """A method among others."""

    name: str
    mean_rank: Annotated[float, Field(description="The mean of its ranks in all metrics; 1 for the best of all.")]
    runs: Annotated[int, Field(description="Runs of the network that a map takes.")]
    seconds: Annotated[
        float,
        Field(description="Time that a map took, the least of all photographs: a first one may wait for its graph."),
    ]
    warning: Annotated[str | None, Field(description="What to beware of when reading its maps.")]


class ComparedMetric(BaseModel):
    """A metric of several methods."""

    name: str
    better: Annotated[Better, Field(description="Which values are better.")]
    limits: Annotated[str, Field(description="What it can and cannot tell.")]
    values: Annotated[
        dict[str, float | None],
        Field(description="By method, and for `random` and `edges`: the mean over the photographs; null if undefined."),
    ]
    ranks: Annotated[
        dict[str, float], Field(description="By method; 1 for the best. Equal ones share the mean of theirs.")
    ]


class ComparedPhotograph(BaseModel):
    """One of the photographs, and the class that was explained."""

    class_id: Annotated[int | None, Field(description="Null for a target other than a class.")]
    name: str | None
    probability: Annotated[float | None, Field(description="Null where the scores are no probabilities.")]
    score: Annotated[float | None, Field(description="Of the class, where it is no probability.")] = None
    image: Annotated[int, Field(description="Which of the photographs sent, from 0.")]
    metrics: Annotated[dict[str, dict[str, float | None]], Field(description="By metric, then by method or baseline.")]


class ComparisonResult(BaseModel):
    """Several methods put to the same tests."""

    reading: Annotated[str, Field(description="What the numbers can and cannot tell.")]
    methods: Annotated[list[ComparedMethod], Field(description="In the order of their mean ranks.")]
    metrics: list[ComparedMetric]
    photographs: list[ComparedPhotograph]


_COMPARISON: dict[str, JsonValue] = {
    "reading": "Metrics tell how maps relate to the network and to changes of the picture; none tells that a map …",
    "methods": [
        {"name": "grad_cam", "mean_rank": 1.0, "runs": 1, "seconds": 0.009, "warning": None},
        {"name": "gradient", "mean_rank": 2.0, "runs": 1, "seconds": 0.021, "warning": None},
    ],
    "metrics": [
        {
            "name": "insertion",
            "better": "larger",
            "limits": "Tells whether what is hot is enough for the score. …",
            "values": {"gradient": 0.098, "grad_cam": 0.406, "random": 0.058, "edges": 0.151},
            "ranks": {"gradient": 2.0, "grad_cam": 1.0},
        }
    ],
    "photographs": [
        {
            "class_id": 285,
            "name": "Egyptian cat",
            "probability": 0.6435,
            "score": None,
            "image": 0,
            "metrics": {"insertion": {"gradient": 0.098, "grad_cam": 0.406, "random": 0.058, "edges": 0.151}},
        }
    ],
}


class CompareAnswer(BaseModel):
    """Answer of `POST /compare`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"meta": META, "data": _COMPARISON}]})

    meta: Meta
    data: ComparisonResult
