"""What the Open Inference Protocol and KServe's first protocol send and get.

The second version of the protocol is at https://github.com/kserve/open-inference-protocol, the first one is that of
TensorFlow Serving.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

from service.api.parameters import ClassifyParameters, TargetParameters
from service.api.schemas import CAT, Classified, Explained

JsonList = list[Any]
MAX_FIELDS = 200  # of an object, which is more than all methods have parameters


class Live(BaseModel):
    """Whether the process is alive."""

    live: Literal[True] = True


class ServerReady(BaseModel):
    """Whether requests are answered at full speed."""

    ready: Literal[True] = True


class ServerMetadata(BaseModel):
    """The server."""

    name: Literal["convlens"] = "convlens"
    version: str
    extensions: tuple[str, ...] = ("binary_tensor_data", "classification")


class ModelReady(BaseModel):
    """A model that answers. For one that does not there is an error."""

    name: str
    ready: Literal[True] = True


class ModelNames(BaseModel):
    """The models that answer."""

    models: list[str]


class TensorMetadata(BaseModel):
    """An input or output."""

    name: str
    datatype: str
    shape: Annotated[list[int], Field(description="-1 for axes of any size.")]


class ModelMetadata(BaseModel):
    """A model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class _Sent(BaseModel):
    """What clients send, where null is as good as nothing."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            raise ValueError("must be a JSON object")
        if len(values) > MAX_FIELDS:  # each that is not known would be an error of its own
            raise ValueError(f"has {len(values):,} fields, {MAX_FIELDS} are the most")
        return {name: value for name, value in values.items() if value is not None}


class _Parameters(_Sent):
    model_config = ConfigDict(extra="forbid")


class InputParameters(_Parameters):
    """Parameters of an input."""

    binary_data_size: Annotated[
        StrictInt | None, Field(ge=0, description="So many of the bytes behind the JSON are its data.")
    ] = None


class OutputParameters(_Parameters):
    """Parameters of an output."""

    binary_data: Annotated[StrictBool | None, Field(description="Whether its data comes as bytes behind the JSON.")] = (
        None
    )
    classification: Annotated[
        StrictInt | None, Field(ge=0, description="So many of its largest values, as `value:index:label`; 0 for none.")
    ] = None


class PredictParameters(_Sent, ClassifyParameters):
    """How files and pixels become what the network sees."""

    model: Annotated[None, Field(description="The path names the model.")] = None


class InferParameters(PredictParameters):
    """Parameters of a request. `priority` and `timeout` of Triton's clients are taken and have no effect."""

    binary_data_output: Annotated[
        StrictBool, Field(description="Whether the data of outputs comes as bytes, unless they say something else.")
    ] = False
    priority: StrictInt | None = None
    timeout: StrictInt | None = None


class InputTensor(_Sent):
    """The pictures of a request."""

    name: StrictStr
    shape: Annotated[list[Annotated[StrictInt, Field(ge=0, lt=2**63)]], Field(min_length=1, max_length=4)]
    datatype: StrictStr
    parameters: InputParameters = InputParameters()
    data: Annotated[JsonList | None, Field(description="Numbers, flat or nested; files are in base64.")] = None


class WantedOutput(_Sent):
    """An output that is asked for."""

    name: StrictStr
    parameters: OutputParameters = OutputParameters()


class InferRequest(_Sent):
    """A request to run a model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["iVBORw0KGgo…"]}],
                    "outputs": [{"name": "probabilities", "parameters": {"classification": 5}}],
                }
            ]
        }
    )

    id: Annotated[StrictStr | None, Field(max_length=1000, description="The answer has the same.")] = None
    parameters: InferParameters = InferParameters()
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[WantedOutput], Field(max_length=1000, description="All of them if none is named.")] = []


class OutputTensor(BaseModel):
    """An output."""

    name: str
    datatype: str
    shape: list[int]
    parameters: Annotated[
        dict[str, int] | None, Field(description="`binary_data_size`, if its data is behind the JSON.")
    ] = None
    data: Annotated[JsonList | None, Field(description="In row-major order.")] = None


class InferAnswer(BaseModel):
    """The outputs of a model."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


Instances = Annotated[
    JsonList,
    Field(
        min_length=1,
        description='Pictures: files as `{"b64": "…"}`, pixels (height, width, 3) from 0 to 255, or what the network '
        "sees, (3, height, width) from 0 to 1.",
    ),
]
_FILES: dict[str, Any] = {"instances": [{"b64": "iVBORw0KGgo…"}]}


class PredictRequest(_Sent):
    """Pictures to be told about."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_FILES]})

    instances: Instances
    parameters: PredictParameters = PredictParameters()


class Predictions(BaseModel):
    """What a network says, one entry for each instance."""

    predictions: Annotated[
        JsonList,
        Field(
            description="The probabilities of the classes, or the numbers if they are none; of segmentations and "
            "detectors an object with each output by name."
        ),
    ]


class ExplainParameters(_Sent, TargetParameters):
    """What is explained, and how; parameters of methods as in `POST /saliency`."""

    model: Annotated[None, Field(description="The path names the model.")] = None
    class_id: Annotated[
        int | None, Field(description="Class to explain; the predicted one of each instance if absent.", examples=[285])
    ] = None
    maps: Annotated[
        Literal["values", "npy"], Field(description="Maps as nested lists, or as NumPy files in base64.")
    ] = "values"


class ExplainRequest(_Sent):
    """Pictures to be explained."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [_FILES | {"parameters": {"method": "grad_cam"}}]}
    )

    instances: Instances
    parameters: ExplainParameters = ExplainParameters()


class File(BaseModel):
    """A file in JSON."""

    b64: str


class ExplainedInstance(Classified):
    """An instance, explained."""

    explained: Explained
    box: Annotated[
        tuple[int, int, int, int],
        Field(description="What the network saw: left, upper, right and lower edge in pixels of the picture sent."),
    ]
    map: Annotated[
        list[list[float]] | File,
        Field(description="Row by row, not normalized: how far the score depends on each pixel that the network saw."),
    ]


class Explanations(BaseModel):
    """Answer to `:explain`, one entry for each instance."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "explanations": [
                        {
                            "predictions": [CAT],
                            "explained": {
                                **CAT,
                                "target": None,
                                "other_class_id": None,
                                "score": 31.96,
                                "value": "logits",
                                "zero_gradient": False,
                                "notes": {},
                                "warning": None,
                            },
                            "box": [0, 0, 451, 300],
                            "map": [[0.01, 0.02], [0.03, 0.02]],
                        }
                    ]
                }
            ]
        }
    )

    explanations: list[ExplainedInstance]
