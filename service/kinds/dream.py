"""More of whatever a layer sees in a photograph."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from service.errors import InvalidParameter
from service.kinds.parameters import FromPhotograph, Layer
from service.kinds.plan import Inputs, Plan, direction_of, kind, measure_direction, measure_terms, seen
from service.networks.network import Network
from service.networks.questions import Term
from service.pictures import images
from service.synthesis.ascent import Recipe
from service.synthesis.optimizers import NormalizedAscent
from service.synthesis.photographs import Octaves
from service.synthesis.transforms import Jitter

USUAL_SIZE = 384


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
    size: Annotated[
        int | None,
        Field(
            ge=8, le=1024, description=f"Short side of the picture, in pixels; by default {USUAL_SIZE}, if it can be."
        ),
    ] = None

    def usual_size(self, network: Network) -> int:
        """Larger than what the network was trained on, unless it takes that only."""
        return max(USUAL_SIZE, min(network.size)) if network.facts.takes_any_size else min(network.size)

    def completed(self, network: Network) -> Self:
        """With a single octave if the network takes only one size."""
        complete = super().completed(network)
        if network.facts.takes_any_size or self.octaves == 1:
            return complete
        if "octaves" in self.model_fields_set:
            raise InvalidParameter(f"octaves must be 1 for {network.model.name}, which takes pictures of one size only")
        return complete.model_copy(update={"octaves": 1, "steps_per_octave": min(self.steps, 200)})

    @property
    def steps(self) -> int:
        """Those of all octaves."""
        return self.octaves * self.steps_per_octave

    @property
    def layers(self) -> list[str]:
        """The layer that dreams."""
        return [self.layer]

    @property
    def channels(self) -> list[tuple[str, int]]:
        """The channel that dreams, if it is a single one."""
        return [] if self.channel is None else [(self.layer, self.channel)]


@kind(DreamParameters)
def dream(network: Network, parameters: DreamParameters, inputs: Inputs) -> Plan:
    """Climb the energy of a layer, or the mean of one of its channels, octave by octave.

    Mordvintsev et al. 2015, "Inceptionism: Going Deeper into Neural Networks".
    """
    photo, channel = inputs["image"], parameters.channel
    if channel is None:
        measure = measure_terms(network, [Term("energy", parameters.layer)], [1.0], {})
    else:
        direction = direction_of(network, parameters.layer, [channel], [1.0])
        measure = measure_direction(network, parameters.layer, direction)
    octaves = Octaves(
        photo.astype(np.float64), parameters.octaves, parameters.octave_scale, parameters.steps_per_octave
    )
    optimizer = NormalizedAscent(parameters.learning_rate / 255, "mean")
    recipe = Recipe(octaves, [Jitter(parameters.max_jitter)], optimizer, parameters.steps)
    original = {"original.png": images.encode_png(images.to_pixels(photo))}
    return Plan(recipe, measure, lambda _, picture: seen(network, picture), lambda _state, _picture: original)
