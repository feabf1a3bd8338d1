"""What a layer finds remarkable in a photograph, exaggerated."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, JsonValue

from service.attribution import Floats
from service.kinds.parameters import FromPhotograph, Layer
from service.kinds.plan import Inputs, Plan, kind, measure_terms, seen
from service.networks.network import Network
from service.networks.questions import Term
from service.pictures import images
from service.pictures.decode import Pixels
from service.synthesis.ascent import State
from service.synthesis.presets import PRESETS


class CaricatureParameters(FromPhotograph):
    """What a layer finds remarkable in a photograph, exaggerated."""

    kind: Literal["caricature"]
    layer: Layer = "fire5"
    power: Annotated[
        float,
        Field(
            ge=0,
            le=8,
            description="Of the cosine in the score: more is closer to the photograph, less more exaggerated.",
        ),
    ] = 2.0
    iterations: Annotated[int, Field(ge=1, le=4096, description="Steps.")] = 256
    learning_rate: Annotated[float, Field(gt=0, le=100, description="Of Adam, on the spectrum of the picture.")] = 0.05
    max_jitter: Annotated[int, Field(ge=0, le=64, description="Largest random shift at a step, in pixels.")] = 4

    @property
    def steps(self) -> int:
        """As given."""
        return self.iterations

    @property
    def layers(self) -> list[str]:
        """The layer that exaggerates."""
        return [self.layer]


@kind(CaricatureParameters)
def draw_caricature(network: Network, parameters: CaricatureParameters, inputs: Inputs) -> Plan:
    """From noise, climb the dot product with the activations of the photograph, and keep their direction.

    Carter et al. 2019, "Activation Atlas", whose objective is Lucid's `dot_compare`; otherwise the preset `lucid`. The
    score is 1 for the photograph itself: the dot product is divided by the squared length of its activations.
    """
    photo = inputs["image"]
    (target,) = network.activations(photo[None], [parameters.layer])
    square = max(float((target.astype(np.float64) ** 2).sum()), float(np.finfo(np.float32).tiny))
    feeds = {"0.target": target / np.float32(square), "0.power": np.array([parameters.power], np.float32)}
    measure = measure_terms(network, [Term("caricature", parameters.layer)], [1.0], feeds)
    lucid = PRESETS["lucid"]
    given = parameters.model_dump(include={"iterations", "learning_rate", "max_jitter"})
    recipe = lucid.recipe(replace(lucid.defaults, **given), (photo.shape[1], photo.shape[2]), "uniform")

    def result(state: State, picture: Pixels) -> dict[str, JsonValue]:  # noqa: ARG001
        (found,) = network.activations(images.to_floats(picture)[None], [parameters.layer])
        return seen(network, picture) | _compared(found, target)

    def artifacts(state: State, picture: Pixels) -> Mapping[str, bytes]:  # noqa: ARG001
        return {"original.png": images.encode_png(images.to_pixels(photo))}

    return Plan(recipe, measure, result, artifacts)


def _compared(found: Floats, target: Floats) -> dict[str, JsonValue]:
    """How alike activations are to those of the photograph, and by which factor they go further in their direction."""
    dot, own, square = (
        float(np.vdot(a.astype(np.float64), b)) for a, b in ((found, target), (found, found), (target, target))
    )
    tiny = float(np.finfo(np.float64).tiny)
    return {"cosine": dot / max(np.sqrt(own * square), tiny), "exaggeration": dot / max(square, tiny)}
