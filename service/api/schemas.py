"""Answers about photographs."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Prediction(BaseModel):
    """A class with its probability."""

    class_id: int
    name: str
    probability: Annotated[
        float | None, Field(description="Null where the scores of the network are no probabilities.")
    ]
    score: Annotated[float | None, Field(description="The score, where it is no probability.")] = None


META: dict[str, JsonValue] = {
    "model": "squeezenet1_1",
    "model_sha256": "c5ad6f71ba88bbdd0f47c41f47b14f962817672b2f5b775b13ee33f2b96dc432",
    "weights_sha256": "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1",
    "provider": "cpu",
    "version": "0.1.0",
    "parameters": {"model": "squeezenet1_1", "resize": "squash"},
    "timings_ms": {"decode": 3.8, "resize": 0.8, "run": 10.6},
}
CAT: dict[str, JsonValue] = {"class_id": 285, "name": "Egyptian cat", "probability": 0.6435}


class Meta(BaseModel):
    """How an answer was made."""

    model: str
    model_sha256: Annotated[str, Field(description="Hash of the ONNX file.")]
    weights_sha256: Annotated[str | None, Field(description="Hash of the weights that the file was built from.")]
    provider: Annotated[str, Field(description="Execution provider: `cpu` or `cuda`.")]
    version: Annotated[str, Field(description="Version of the service.")]
    parameters: Annotated[dict[str, Any], Field(description="Every parameter, defaults filled in.")]
    timings_ms: Annotated[dict[str, float], Field(description="Duration of each stage, in milliseconds.")]


class Classified(BaseModel):
    """What the network sees in one picture."""

    predictions: Annotated[list[Prediction], Field(description="The most probable classes, best first.")]


class ClassifyAnswer(BaseModel):
    """Answer of `POST /classify`: one entry per image, in the order sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"meta": META, "data": [{"predictions": [CAT]}]}]})

    meta: Meta
    data: list[Classified]


class Explained(BaseModel):
    """The score that a map explains."""

    class_id: Annotated[int | None, Field(description="Null for a target other than a class.")]
    name: str | None
    probability: float | None
    target: Annotated[str | None, Field(description="The target, if it was not a class.")]
    other_class_id: Annotated[int | None, Field(description="The class in contrast.")]
    score: Annotated[float, Field(description="The differentiated value; in contrast, less that of the other class.")]
    value: Annotated[
        str,
        Field(
            description="Name of the differentiated value in the graph. "
            "A score that is exactly 0 behind a final ReLU has no gradient; "
            "then the value before that ReLU is taken."
        ),
    ]
    zero_gradient: Annotated[bool, Field(description="Whether the map is zero everywhere, so that it says nothing.")]
    notes: Annotated[
        dict[str, float], Field(description="What the method says beside its map: its `samples` and `relative_error`.")
    ]
    warning: Annotated[str | None, Field(description="What to beware of when reading a map of this method.")]


class SaliencyMap(BaseModel):
    """A map of the pixels that the score depends on."""

    width: int
    height: int
    minimum: Annotated[float, Field(description="Smallest value before normalization.")]
    maximum: Annotated[float, Field(description="Largest value before normalization.")]
    box: Annotated[
        tuple[int, int, int, int],
        Field(
            description="What the network saw: left, upper, right and lower edge in pixels of the upright photograph."
        ),
    ]
    png: Annotated[str, Field(description="The picture that `output` asks for: a PNG in base64.")]
    npy: Annotated[
        str | None,
        Field(description="With `raw`: the map in NumPy's format .npy (float32, not normalized), in base64."),
    ] = None


class SaliencyResult(Classified):
    """One photograph explained for one class."""

    image: Annotated[int, Field(description="Which of the photographs sent, from 0.")]
    explained: Explained
    heatmap: SaliencyMap


class SaliencyAnswer(BaseModel):
    """Answer of `POST /saliency`: one entry per image and class, in the order sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "meta": META,
                    "data": [
                        {
                            "predictions": [CAT],
                            "image": 0,
                            "explained": {
                                **CAT,
                                "other_class_id": None,
                                "score": 31.96,
                                "value": "logits",
                                "zero_gradient": False,
                                "notes": {},
                                "warning": None,
                            },
                            "heatmap": {
                                "width": 224,
                                "height": 224,
                                "minimum": 0.0,
                                "maximum": 1.77,
                                "box": [0, 0, 451, 300],
                                "png": "iVBORw0KGgo…",
                            },
                        }
                    ],
                }
            ]
        }
    )

    meta: Meta
    data: list[SaliencyResult]


class ChannelActivation(BaseModel):
    """A feature map in numbers."""

    channel: int
    mean: float
    maximum: float


class LayerActivation(BaseModel):
    """What one layer holds."""

    layer: str
    channels: int
    size: Annotated[tuple[int, int], Field(description="Height and width of a feature map.")]
    mean: float
    active: Annotated[float, Field(description="Share of the values that are above 0.")]
    strongest: Annotated[
        list[ChannelActivation], Field(description="The channels with the highest means, at most `channels` of them.")
    ]
    png: Annotated[str, Field(description="Their feature maps as a grid, strongest first: a PNG in base64.")]


class ActivationAnswer(BaseModel):
    """Answer of `POST /activations`: one entry per layer."""

    meta: Meta
    data: list[LayerActivation]
