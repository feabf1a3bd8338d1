"""Parameters of `POST /visualize`: one model for each kind of job, told apart by `kind`."""

import secrets
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from service.api.parameters import split_commas
from service.pictures.images import Resize
from service.synthesis.presets import DEFAULTS

MAX_PREVIEWS = 200

ClassId = Annotated[int, Field(ge=0)]
Layer = Annotated[str, Field(description="Name of a layer; see `GET /models/{name}/layers`.", examples=["fire6"])]


class JobParameters(BaseModel):
    """What all kinds have in common. images: names of the pictures that must be sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    images: ClassVar[tuple[str, ...]] = ()
    kind: str

    model: Annotated[str | None, Field(description="Name of the model; the default one if absent.")] = None
    seed: Annotated[
        int | None, Field(ge=0, lt=2**53, description="The same seed gives the same picture; a random one if absent.")
    ] = None
    preview_every: Annotated[
        int,
        Field(ge=0, le=4096, description=f"Steps between two previews, 0 for none; at most {MAX_PREVIEWS} previews."),
    ] = 25

    @property
    def steps(self) -> int:
        """All steps of the job."""
        raise NotImplementedError

    @property
    def class_ids(self) -> list[int | None]:
        """The classes, one job each; None for a job without a class."""
        return [None]

    @property
    def layers(self) -> list[str]:
        """The layers that must exist."""
        return []

    @model_validator(mode="after")
    def _few_previews(self) -> Self:
        if self.preview_every and self.steps / self.preview_every > MAX_PREVIEWS:
            raise ValueError(
                f"preview_every must be at least {-(-self.steps // MAX_PREVIEWS)} for {self.steps} iterations"
            )
        return self

    def completed(self, model: str) -> dict[str, Any]:
        """All parameters but kind and class, defaults filled in, a seed drawn."""
        given = self.model_dump(exclude={"kind", "class_id"})
        seed = secrets.randbelow(2**32) if self.seed is None else self.seed
        return {**given, "model": model, "seed": seed, "iterations": self.steps}


class FromNoise(JobParameters):
    """Pictures that begin with noise. Absent values take the defaults of the preset."""

    preset: Annotated[
        Literal["cs231n", "lucid", "maco"],
        Field(
            description="`cs231n`: gradient ascent on pixels with jitter, blur and l2. `lucid`: a spectrum in decorrelated colours, Adam. "
            "`maco`: the phases of a spectrum whose magnitudes are those of natural images."
        ),
    ] = "cs231n"
    start: Annotated[
        Literal["uniform", "normal"],
        Field(
            description="Random start of `cs231n`: uniform pixels, or normalized pixels of a standard normal distribution."
        ),
    ] = "uniform"
    iterations: Annotated[int | None, Field(ge=1, le=4096, description="Steps: 200, `lucid` and `maco` 512.")] = None
    learning_rate: Annotated[float | None, Field(gt=0, le=1000, description="25, `lucid` and `maco` 0.05.")] = None
    l2_reg: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Weight of the squared norm that is taken off the score: 0.001, `lucid` and `maco` 0.",
        ),
    ] = None
    blur_every: Annotated[
        int | None, Field(ge=0, le=4096, description="Steps between two blurs of `cs231n`, 0 for none: 10.")
    ] = None
    blur_sigma: Annotated[float | None, Field(ge=0, le=10, description="Of that blur, in pixels: 0.5.")] = None
    max_jitter: Annotated[
        int | None,
        Field(ge=0, le=64, description="Largest random shift at a step, in pixels: 16, `lucid` 8, `maco` 48."),
    ] = None
    size: Annotated[int, Field(ge=64, le=512, description="Side of the picture, in pixels.")] = 224

    @property
    def steps(self) -> int:
        """Those of the preset, if none are given."""
        return self.iterations or int(DEFAULTS[self.preset]["iterations"])

    def completed(self, model: str) -> dict[str, Any]:
        """With the defaults of the preset."""
        complete = super().completed(model)
        return {
            **complete,
            **DEFAULTS[self.preset],
            **{name: value for name, value in complete.items() if value is not None},
        }


class ClassParameters(FromNoise):
    """What the network believes a class looks like."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"class_id": 76}, {"class_id": [76, 187, 366], "preset": "lucid", "seed": 1}]}
    )
    kind: Literal["class"] = "class"
    class_id: Annotated[
        ClassId | Annotated[list[ClassId], Field(min_length=1, max_length=1000)],
        Field(description="The class to draw, or a list of them: one job each, under one batch id."),
    ]

    @property
    def class_ids(self) -> list[int | None]:
        """The classes, one or several."""
        return [*self.class_id] if isinstance(self.class_id, list) else [self.class_id]


class NeuronParameters(FromNoise):
    """What makes the mean of a channel of a layer grow."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "neuron", "layer": "fire6", "channel": 12, "preset": "lucid"}]}
    )
    kind: Literal["neuron"]
    layer: Layer
    channel: Annotated[int, Field(ge=0, description="Number of the channel, from 0.")]

    @property
    def layers(self) -> list[str]:
        """The layer of the channel."""
        return [self.layer]


class FromPhotograph(JobParameters):
    """Pictures that begin with a photograph, sent as the form field `image`."""

    images: ClassVar[tuple[str, ...]] = ("image",)
    size: Annotated[int, Field(ge=64, le=1024, description="Short side of the picture, in pixels.")] = 224
    resize: Annotated[
        Resize,
        Field(
            description="`native`: aspect ratio kept. `squash`: the whole picture to a square. `crop`: the central square."
        ),
    ] = "native"


class FoolingParameters(FromPhotograph):
    """A photograph that the network takes for something else, changed as little as possible."""

    kind: Literal["fooling"]
    class_id: Annotated[ClassId, Field(description="What the network shall take the photograph for.")]
    iterations: Annotated[
        int, Field(ge=1, le=1000, description="Most steps; it ends as soon as the target is the top class.")
    ] = 100
    learning_rate: Annotated[
        float,
        Field(
            gt=0,
            le=100,
            description="Length of a step, in normalized pixels; smaller ones change less and take longer.",
        ),
    ] = 1.0

    @property
    def steps(self) -> int:
        """The most that are made."""
        return self.iterations

    @property
    def class_ids(self) -> list[int | None]:
        """The target."""
        return [self.class_id]


class InversionParameters(FromPhotograph):
    """What a layer still knows of a photograph."""

    kind: Literal["inversion"]
    layer: Layer = "fire3"
    iterations: Annotated[int, Field(ge=1, le=4096, description="Steps.")] = 300
    learning_rate: Annotated[float, Field(gt=0, le=100, description="Of Adam, in normalized pixels.")] = 0.1
    variation: Annotated[
        float, Field(ge=0, le=1000, description="Weight of the total variation: more is smoother.")
    ] = 0.5

    @property
    def steps(self) -> int:
        """As given."""
        return self.iterations

    @property
    def layers(self) -> list[str]:
        """The layer inverted."""
        return [self.layer]


class DreamParameters(FromPhotograph):
    """More of whatever a layer sees in a photograph."""

    kind: Literal["deepdream"]
    layer: Layer = "fire7"
    channel: Annotated[int | None, Field(ge=0, description="One channel of the layer instead of all.")] = None
    octaves: Annotated[int, Field(ge=1, le=10, description="Sizes of the picture, the smallest first.")] = 4
    octave_scale: Annotated[float, Field(gt=1, le=4, description="From one size to the next.")] = 1.4
    steps_per_octave: Annotated[int, Field(ge=1, le=200, description="Steps at each size.")] = 10
    learning_rate: Annotated[float, Field(gt=0, le=100, description="Mean change of a pixel at a step, in 255ths.")] = (
        1.5
    )
    max_jitter: Annotated[int, Field(ge=0, le=64, description="Largest random shift at a step, in pixels.")] = 32
    preview_every: Annotated[int, Field(ge=0, le=4096, description="Steps between two previews, 0 for none.")] = 10
    size: Annotated[int, Field(ge=64, le=1024, description="Short side of the picture, in pixels.")] = 384

    @property
    def steps(self) -> int:
        """Those of all octaves."""
        return self.octaves * self.steps_per_octave

    @property
    def layers(self) -> list[str]:
        """The dreaming layer."""
        return [self.layer]


_List = BeforeValidator(split_commas)


class StyleParameters(FromPhotograph):
    """A photograph (`image`) in the manner of another picture (`style_image`)."""

    images: ClassVar[tuple[str, ...]] = ("image", "style_image")
    kind: Literal["style"]
    content_layer: Layer = "fire2"
    style_layers: Annotated[
        list[str], _List, Field(min_length=1, max_length=16, description="Layers whose Gram matrices make the style.")
    ] = ["relu_conv1", "fire3", "fire4", "fire5"]
    style_weights: Annotated[
        list[Annotated[float, Field(ge=0, le=1e12)]],
        _List,
        Field(min_length=1, max_length=16, description="One for each of these layers."),
    ] = [0.25, 0.25, 0.25, 0.25]
    content_weight: Annotated[
        float, Field(ge=0, le=1e12, description="Of the content: more is closer to the photograph.")
    ] = 0.2
    variation: Annotated[
        float, Field(ge=0, le=1e12, description="Weight of the total variation per pixel: more is smoother.")
    ] = 0.5
    start: Annotated[Literal["content", "noise"], Field(description="Where it begins.")] = "content"
    iterations: Annotated[int, Field(ge=1, le=4096, description="Steps.")] = 200
    learning_rate: Annotated[
        float, Field(gt=0, le=100, description="Of Adam, in normalized pixels; a thirtieth at the end.")
    ] = 0.1

    @model_validator(mode="after")
    def _one_weight_a_layer(self) -> Self:
        if len(self.style_layers) != len(self.style_weights):
            raise ValueError(
                f"style_layers has {len(self.style_layers)} names and style_weights {len(self.style_weights)} numbers"
            )
        return self

    @property
    def steps(self) -> int:
        """As given."""
        return self.iterations

    @property
    def layers(self) -> list[str]:
        """Content and style."""
        return [self.content_layer, *self.style_layers]


KINDS: tuple[type[JobParameters], ...] = (
    ClassParameters,
    NeuronParameters,
    FoolingParameters,
    InversionParameters,
    DreamParameters,
    StyleParameters,
)

AnyKind = Annotated[
    ClassParameters | NeuronParameters | FoolingParameters | InversionParameters | DreamParameters | StyleParameters,
    Field(discriminator="kind"),
]
_ADAPTER: TypeAdapter[JobParameters] = TypeAdapter(AnyKind)


def parse(values: dict[str, Any]) -> JobParameters:
    """The parameters of the kind named by ``kind``, of a class visualization without one. Raises pydantic's `ValidationError`."""
    return _ADAPTER.validate_python({"kind": "class", **values})


def request_body() -> dict[str, Any]:
    """The OpenAPI description of the body: JSON, or a form for the kinds that need pictures."""
    binary = {"type": "string", "format": "binary"}
    schemas = {model: model.model_json_schema() for model in KINDS}
    forms = [
        {
            **schema,
            "properties": {**schema["properties"], **dict.fromkeys(model.images, binary)},
            "required": ["kind", *model.images],
        }
        for model, schema in schemas.items()
    ]
    discriminator = {"propertyName": "kind"}
    as_json = {
        "schema": {
            "oneOf": [schema for model, schema in schemas.items() if not model.images],
            "discriminator": discriminator,
        }
    }
    as_form = {"schema": {"oneOf": forms, "discriminator": discriminator}}
    return {"requestBody": {"required": True, "content": {"application/json": as_json, "multipart/form-data": as_form}}}
