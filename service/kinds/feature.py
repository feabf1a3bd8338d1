"""What excites a class or a channel most: pictures from noise."""

from dataclasses import asdict, fields, replace
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from service.errors import InvalidParameter
from service.kinds.parameters import Channel, ClassId, JobParameters, Layer, as_list, split_commas, split_several
from service.kinds.plan import Inputs, Plan, direction_of, kind, measure_class, measure_direction, seen
from service.kinds.several import MAX_SHEET, diverse
from service.models.weights import SQUEEZENET_SHA256
from service.networks.network import Network
from service.synthesis.ascent import Recipe
from service.synthesis.names import PresetName
from service.synthesis.parametrization import Start
from service.synthesis.presets import PRESETS, USUAL_SIDE, Hyperparameters, defaults_of, summaries
from service.synthesis.sheet import Sheet

SMALLEST = 64  # short side of pictures of networks that were trained on larger ones


class FromNoise(JobParameters):
    """Pictures that begin with noise. Absent values take the defaults of the preset."""

    preset: Annotated[PresetName, Field(description=summaries())] = "cs231n"
    start: Annotated[
        Start,
        Field(
            description="Random start of `cs231n`: uniform pixels, "
            "or normalized pixels of a standard normal distribution."
        ),
    ] = "uniform"
    iterations: Annotated[int | None, Field(ge=1, le=4096, description=f"Steps: {defaults_of('iterations')}.")] = None
    learning_rate: Annotated[
        float | None,
        Field(
            gt=0,
            le=1000,
            description=f"{defaults_of('learning_rate')}; with `cs231n` and other networks than SqueezeNet by default "
            "such that the first step is as long as there.",
        ),
    ] = None
    l2_reg: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description=f"Weight of the squared norm that is taken off the score: {defaults_of('l2_reg')}.",
        ),
    ] = None
    blur_every: Annotated[
        int | None,
        Field(
            ge=0,
            le=4096,
            description=f"Steps between two blurs of `cs231n`, 0 for none: {PRESETS['cs231n'].defaults.blur_every}.",
        ),
    ] = None
    blur_sigma: Annotated[
        float | None, Field(ge=0, le=10, description=f"Of that blur, in pixels: {defaults_of('blur_sigma')}.")
    ] = None
    max_jitter: Annotated[
        int | None,
        Field(
            ge=0,
            le=64,
            description=f"Largest random shift at a step, in pixels: {defaults_of('max_jitter')}; "
            "less for networks of smaller pictures.",
        ),
    ] = None
    size: Annotated[
        int | None,
        Field(
            ge=8,
            le=512,
            description="Short side of the picture, in pixels, in the proportions of the network's own size, "
            "which is the default.",
        ),
    ] = None

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Those of the preset, replaced by the ones that are given."""
        names = {field.name for field in fields(Hyperparameters)}
        return replace(PRESETS[self.preset].defaults, **self.model_dump(include=names, exclude_none=True))

    def recipe(self, network: Network) -> Recipe:
        """The recipe of the preset with these parameters, which must be completed."""
        given = Hyperparameters(**self.model_dump(include={field.name for field in fields(Hyperparameters)}))
        return PRESETS[self.preset].recipe(given, network.size_of(self.size), self.start)

    @property
    def steps(self) -> int:
        """As given, or those of the preset."""
        return self.hyperparameters.iterations

    def completed(self, network: Network) -> Self:
        """With the defaults of the preset, fitted to the network."""
        chosen = asdict(self.hyperparameters)
        if self.max_jitter is None:
            chosen["max_jitter"] = round(chosen["max_jitter"] * min(network.size) / USUAL_SIDE)
        published = network.model.manifest.weights_sha256 == SQUEEZENET_SHA256
        if self.preset == "cs231n" and self.learning_rate is None and not published:
            chosen["learning_rate"] = None
        return super().completed(network).model_copy(update=chosen)


def check_size(short_side: int | None, network: Network) -> None:
    """Raise `InvalidParameter` if the network does not take pictures with that short side."""
    height, width = network.size_of(short_side)
    network.check_size(height, width)
    least = min(SMALLEST, *network.size)
    if min(height, width) < least:
        raise InvalidParameter(f"size must be at least {least} for {network.model.name}; it is {short_side}")


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
    def class_ids(self) -> list[int]:
        """The classes, one or several."""
        return as_list(self.class_id)

    @property
    def is_batch(self) -> bool:
        """A list of classes is a batch, whatever its length."""
        return isinstance(self.class_id, list)


class NeuronParameters(FromNoise):
    """What makes the mean of a channel of a layer grow, or a weighted sum of several."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "neuron", "layer": "fire6", "channel": 12, "preset": "lucid"},
                {"kind": "neuron", "layer": "fire8", "channel": [100, 31], "weights": [1, -0.5], "preset": "lucid"},
            ]
        }
    )
    kind: Literal["neuron"]
    layer: Layer
    channel: Annotated[
        Channel | Annotated[list[Channel], Field(min_length=1, max_length=256)],
        BeforeValidator(split_several),
        Field(description="Number of the channel, from 0, or several that are drawn together, in one direction."),
    ]
    weights: Annotated[
        Annotated[list[Annotated[float, Field(ge=-1e6, le=1e6)]], Field(max_length=256)] | None,
        BeforeValidator(split_commas),
        Field(
            description="One for each channel, 1 if absent; what has a negative weight is avoided. The channels of a "
            "factor of `POST /concepts`, with their weights, draw that factor.",
        ),
    ] = None

    pictures: Annotated[
        int,
        Field(
            ge=1, le=9, description="How many are drawn at the same time, on one sheet, each as different as can be."
        ),
    ] = 1
    diversity: Annotated[
        float, Field(ge=0, le=100, description="How much it counts that several pictures are not alike.")
    ] = 1.0

    def completed(self, network: Network) -> Self:
        """With the defaults of the preset. Raises `InvalidParameter` for a sheet that is too large."""
        complete = super().completed(network)
        height, width = network.size_of(complete.size)
        if self.pictures > 1 and self.pictures * height * width > MAX_SHEET:
            raise InvalidParameter(
                f"{self.pictures} pictures of {width} x {height} are too many pixels; all together may have "
                f"{MAX_SHEET:,}: ask for fewer pictures or a smaller size"
            )
        return complete

    @model_validator(mode="after")
    def _one_weight_a_channel(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.channels):
            raise ValueError(f"channel has {len(self.channels)} numbers and weights {len(self.weights)}")
        if self.weights is not None and not any(self.weights):
            raise ValueError("weights must not all be 0")
        return self

    @property
    def layers(self) -> list[str]:
        """The layer of the channel."""
        return [self.layer]

    @property
    def channels(self) -> list[tuple[str, int]]:
        """The channels that are drawn."""
        return [(self.layer, channel) for channel in as_list(self.channel)]


@kind(ClassParameters)
def draw_class(network: Network, parameters: ClassParameters, inputs: Inputs) -> Plan:  # noqa: ARG001
    """Draw what the network believes a class looks like (Simonyan et al. 2013, section 2)."""
    (class_id,) = parameters.class_ids
    return Plan(
        parameters.recipe(network),
        measure_class(network, class_id),
        lambda _, picture: seen(network, picture, class_id),
    )


@kind(NeuronParameters)
def draw_neuron(network: Network, parameters: NeuronParameters, inputs: Inputs) -> Plan:  # noqa: ARG001
    """Draw what makes the mean of a channel grow, or that of a direction in the space of the channels.

    Erhan et al. 2009, "Visualizing Higher-Layer Features of a Deep Network", section 3; Olah et al. 2017, "Feature
    Visualization", section "Interaction between Neurons".
    """
    layer, numbers, recipe = parameters.layer, as_list(parameters.channel), parameters.recipe(network)
    direction = direction_of(network, layer, numbers, parameters.weights or [1.0] * len(numbers))
    if parameters.pictures > 1:
        sheet = Sheet(parameters.pictures, network.size_of(parameters.size))
        return diverse(network, recipe, layer, direction, sheet, parameters.diversity)
    return Plan(recipe, measure_direction(network, layer, direction), lambda _, picture: seen(network, picture))
