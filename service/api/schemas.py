"""Parameters and answers of the HTTP interface."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from service.attribution import METHODS
from service.images import Colormap, Resize
from service.saliency import Output

OVERLAY_SMOOTHING = 1.5


def _known_method(name: str) -> str:
    if name not in METHODS:
        raise ValueError(f"there is no method {name!r}; there are: {', '.join(METHODS)}")
    return name


class ClassifyParameters(BaseModel):
    """Parameters of every request that sends photographs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str | None, Field(description="Name of the model; the default one if absent.", examples=["squeezenet1_1"])] = None
    resize: Annotated[
        Resize,
        Field(
            description="`squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. "
            "`native`: aspect ratio kept, short side 224."
        ),
    ] = "squash"


class SaliencyParameters(ClassifyParameters):
    """Parameters of `POST /saliency`, in the query or as form fields."""

    class_id: Annotated[int | None, Field(description="Class to explain; the predicted one if absent.", examples=[285])] = None
    method: Annotated[str, AfterValidator(_known_method), Field(description="Attribution method.")] = "gradient"
    output: Annotated[
        Output | None,
        Field(
            description="What the picture shows: the map over the photograph (default for `image/png`), the map alone (default in JSON), "
            "or photograph, map and overlay side by side."
        ),
    ] = None
    colormap: Annotated[Colormap, Field(description="Colours from cold to hot.")] = "inferno"
    opacity: Annotated[float, Field(ge=0, le=1, description="Opacity of the hottest pixels of an overlay.")] = 0.9
    smoothing: Annotated[
        float | None,
        Field(ge=0, le=20, description="Gaussian smoothing of the picture, sigma in pixels of the map. Default: 1.5 for overlays, else 0."),
    ] = None

    def completed(self, media: str) -> Self:
        """With the defaults that depend on other parameters and on the media type of the answer."""
        output = self.output or ("heatmap" if media == "application/json" else "overlay")
        smoothing = self.smoothing if self.smoothing is not None else 0.0 if output == "heatmap" else OVERLAY_SMOOTHING
        return self.model_copy(update={"output": output, "smoothing": smoothing})


class Prediction(BaseModel):
    """A class with its probability."""

    class_id: int
    name: str
    probability: float


_META: dict[str, JsonValue] = {
    "model": "squeezenet1_1",
    "model_sha256": "c5ad6f71ba88bbdd0f47c41f47b14f962817672b2f5b775b13ee33f2b96dc432",
    "weights_sha256": "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1",
    "provider": "cpu",
    "version": "0.1.0",
    "parameters": {"model": "squeezenet1_1", "resize": "squash"},
    "timings_ms": {"decode": 3.8, "resize": 0.8, "run": 10.6},
}
_CAT: dict[str, JsonValue] = {"class_id": 285, "name": "Egyptian cat", "probability": 0.6435}


class Meta(BaseModel):
    """How an answer came about."""

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

    model_config = ConfigDict(json_schema_extra={"examples": [{"meta": _META, "data": [{"predictions": [_CAT]}]}]})

    meta: Meta
    data: list[Classified]


class Explained(BaseModel):
    """The score that a map explains."""

    class_id: int
    name: str
    probability: float
    score: Annotated[float, Field(description="The differentiated value.")]
    value: Annotated[
        str,
        Field(
            description="Name of the differentiated value in the graph. A score that is exactly 0 behind a final ReLU has no gradient; "
            "then the value before that ReLU is taken."
        ),
    ]
    zero_gradient: Annotated[bool, Field(description="Whether the gradient is zero everywhere, so that the map says nothing.")]


class SaliencyMap(BaseModel):
    """A map of the pixels that the score depends on."""

    width: int
    height: int
    minimum: Annotated[float, Field(description="Smallest value before normalization.")]
    maximum: Annotated[float, Field(description="Largest value before normalization.")]
    box: Annotated[
        tuple[int, int, int, int],
        Field(description="What the network saw: left, upper, right and lower edge in pixels of the upright photograph."),
    ]
    png: Annotated[str, Field(description="The picture that `output` asks for: a PNG in base64.")]


class SaliencyResult(Classified):
    """One photograph explained."""

    explained: Explained
    heatmap: SaliencyMap


class SaliencyAnswer(BaseModel):
    """Answer of `POST /saliency`: one entry per image, in the order sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "meta": _META,
                    "data": [
                        {
                            "predictions": [_CAT],
                            "explained": {**_CAT, "score": 31.96, "value": "logits", "zero_gradient": False},
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


class ModelSummary(BaseModel):
    """A model in the list."""

    name: str
    title: str
    classes: int
    default: bool


class ModelDetails(ModelSummary):
    """Everything about a model but its class names."""

    source: str
    sha256: str
    weights_sha256: str | None
    size: Annotated[int, Field(description="Side of the square that the network was trained on, in pixels.")]
    layers: tuple[str, ...]
    preprocessing: dict[str, Any]


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
