"""A small picture of what excites each of many channels of a layer."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import ConfigDict, Field, JsonValue

from service.attribution import Floats
from service.errors import InvalidParameter
from service.kinds.parameters import Channel, JobParameters, Layer
from service.kinds.plan import Inputs, Measurement, Plan, kind
from service.kinds.several import MAX_SHEET, on_sheet, pictures_of
from service.networks.network import Network
from service.networks.questions import Term
from service.pictures import images, tints
from service.pictures.decode import Pixels
from service.synthesis.ascent import State
from service.synthesis.presets import PRESETS
from service.synthesis.sheet import Sheet

USUAL_SIZE, USUAL_COUNT = 64, 64
GAP = 2  # pixels between two pictures with their numbers


class SpritemapParameters(JobParameters):
    """A small picture of what excites each of many channels of a layer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "spritemap", "layer": "fire5", "count": 64}]})
    kind: Literal["spritemap"]
    layer: Layer
    first: Annotated[Channel, Field(description="Number of the first channel, from 0.")] = 0
    count: Annotated[
        int | None,
        Field(ge=1, le=128, description=f"How many channels; {USUAL_COUNT} if absent, or fewer if there are fewer."),
    ] = None
    iterations: Annotated[int, Field(ge=1, le=1024, description="Steps.")] = 100
    learning_rate: Annotated[float, Field(gt=0, le=100, description="Of Adam, on the spectra of the pictures.")] = 0.05
    max_jitter: Annotated[int, Field(ge=0, le=64, description="Largest random shift at a step, in pixels.")] = 4
    size: Annotated[
        int | None,
        Field(ge=8, le=512, description=f"Short side of each picture, in pixels; {USUAL_SIZE} where it can be."),
    ] = None

    @property
    def steps(self) -> int:
        """As given."""
        return self.iterations

    @property
    def layers(self) -> list[str]:
        """The layer of the channels."""
        return [self.layer]

    @property
    def channels(self) -> list[tuple[str, int]]:
        """The first channel and the last."""
        return [(self.layer, self.first), (self.layer, self.first + (self.count or 1) - 1)]

    def usual_size(self, network: Network) -> int:
        """Small, unless the network takes one size only."""
        return min(USUAL_SIZE, *network.size) if network.facts.takes_any_size else min(network.size)

    def completed(self, network: Network) -> Self:
        """With the number of channels. Raises `InvalidParameter` for a sheet that is too large."""
        complete = super().completed(network)
        height, width = network.size_of(complete.size)
        most = max(1, MAX_SHEET // (height * width))
        if (self.count or 1) > most:
            raise InvalidParameter(
                f"count must be at most {most} for pictures of {width} x {height}, so that all together have no more "
                f"than {MAX_SHEET:,} pixels; send several jobs, or ask for a smaller size"
            )
        there = network.layer(self.layer).channels - self.first
        return complete.model_copy(update={"count": self.count or min(USUAL_COUNT, most, there)})


@kind(SpritemapParameters)
def draw_spritemap(network: Network, parameters: SpritemapParameters, inputs: Inputs) -> Plan:  # noqa: ARG001
    """Draw what makes the mean of each channel grow, all at the same time.

    As in OpenAI Microscope (Schubert et al. 2020); each picture as by the preset `lucid`.
    """
    assert parameters.count is not None, "the parameters are not completed"
    layer, first = parameters.layer, parameters.first
    sheet = Sheet(parameters.count, network.size_of(parameters.size))
    directions = np.eye(parameters.count, network.layer(layer).channels, first, dtype=np.float32)
    lucid = PRESETS["lucid"]
    given = parameters.model_dump(include={"iterations", "learning_rate", "max_jitter"})
    recipe = lucid.recipe(replace(lucid.defaults, **given), sheet.size, "uniform")
    measure = measure_each(network, layer, directions, sheet)

    def result(state: State, picture: Pixels) -> dict[str, JsonValue]:  # noqa: ARG001
        pictures = np.stack([images.to_floats(one) for one in pictures_of(sheet, picture)])
        means = network.activations(pictures, [layer])[0].mean(axis=(2, 3))
        found = [float(means[i, first + i]) for i in range(sheet.number)]
        return {"first": first, "means": [*found], "asleep": sum(mean <= 0 for mean in found)}

    def artifacts(state: State, picture: Pixels) -> Mapping[str, bytes]:  # noqa: ARG001
        numbered = [tints.captioned(one, str(first + i)) for i, one in enumerate(pictures_of(sheet, picture))]
        return {"numbered.png": images.encode_png(images.tiled(numbered, GAP))}

    return Plan(on_sheet(recipe, sheet), measure, result, artifacts)


def measure_each(network: Network, layer: str, directions: Floats, sheet: Sheet) -> Callable[[Floats], Measurement]:
    """A function of a sheet (3, H, W) that measures each picture along its own direction, one row of (N, C)."""
    weights = np.ones((sheet.number, 1), np.float32)

    def measure(image: Floats) -> Measurement:
        feeds = {"0.direction": directions}
        scores, _, gradients = network.measure(sheet.split(image), (Term("direction", layer),), weights, feeds)
        return Measurement(float(scores.sum()), sheet.join(gradients))

    return measure
