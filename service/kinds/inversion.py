"""What a layer still knows of a photograph."""

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, JsonValue

from service.kinds.parameters import FromPhotograph, Layer
from service.kinds.plan import Inputs, Plan, kind, measure_terms, seen
from service.networks.network import Network
from service.networks.questions import Term
from service.pictures import images
from service.pictures.decode import Pixels
from service.synthesis.ascent import Recipe, State
from service.synthesis.optimizers import Adam
from service.synthesis.parametrization import Pixels as PixelNumbers


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
        """The layer that is inverted."""
        return [self.layer]


@kind(InversionParameters)
def invert(network: Network, parameters: InversionParameters, inputs: Inputs) -> Plan:
    """From noise, find a picture whose activations in a layer are those of the photograph.

    Mahendran & Vedaldi 2015, "Understanding Deep Image Representations by Inverting Them", section 3. The score is
    minus the relative squared error of the activations, minus the weighted total variation per pixel.
    """
    photo = inputs["image"]
    (target,) = network.activations(photo[None], [parameters.layer])
    norm = float((target.astype(np.float64) ** 2).sum())
    terms = [Term("content", parameters.layer), Term("variation", network.model.manifest.input)]
    weights = [1 / max(norm, 1e-12), parameters.variation / photo[0].size]
    measure = measure_terms(network, terms, weights, {"0.target": target})
    iterations = parameters.iterations
    optimizer = Adam(parameters.learning_rate, drop=(iterations * 4 // 5, parameters.learning_rate / 5))
    recipe = Recipe(PixelNumbers((photo.shape[1], photo.shape[2]), "uniform"), [], optimizer, iterations)

    def result(state: State, picture: Pixels) -> dict[str, JsonValue]:  # noqa: ARG001
        image = images.to_floats(picture)
        (found,) = network.activations(image[None], [parameters.layer])
        return seen(network, picture) | {
            "relative_error": float(((found - target).astype(np.float64) ** 2).sum() / max(norm, 1e-12))
        }

    def artifacts(state: State, picture: Pixels) -> Mapping[str, bytes]:  # noqa: ARG001
        return {"original.png": images.encode_png(images.to_pixels(photo))}

    return Plan(recipe, measure, result, artifacts)
