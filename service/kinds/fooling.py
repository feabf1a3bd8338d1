"""A photograph that the network takes for something else, changed as little as possible."""

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, JsonValue

from service.kinds.parameters import ClassId, FromPhotograph
from service.kinds.plan import Inputs, Plan, kind, measure_class, probabilities, seen
from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Pixels
from service.synthesis.ascent import Recipe, State
from service.synthesis.optimizers import NormalizedAscent
from service.synthesis.photographs import NormalizedPhoto


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
        """The largest number that is taken."""
        return self.iterations

    @property
    def class_ids(self) -> list[int]:
        """The target."""
        return [self.class_id]


@kind(FoolingParameters)
def fool(network: Network, parameters: FoolingParameters, inputs: Inputs) -> Plan:
    """Climb the score of the target in steps of one length, until it is the top class.

    Szegedy et al. 2013, "Intriguing properties of neural networks"; CS231n, "Fooling Images". At every step the network
    sees the picture rounded to whole 255ths, so that the file, which can hold no more, fools it too.
    """
    target, photo = parameters.class_id, inputs["image"]
    original = images.to_pixels(photo)
    recipe = Recipe(
        NormalizedPhoto(photo.astype(np.float64), rounded=True),
        [],
        NormalizedAscent(parameters.learning_rate, "norm"),
        parameters.iterations,
        stop_at_rank_1=True,
    )

    def result(state: State, picture: Pixels) -> dict[str, JsonValue]:
        before = probabilities(network, original)
        first = int(before.argmax())
        change = np.abs(picture.astype(int) - original)
        after = seen(network, picture, target)
        return after | {
            "fooled": after["rank"] == 1,
            "steps_needed": state.first_at_rank_1,
            "original_class_id": first,
            "original_name": network.model.manifest.labels[first],
            "original_probability": network.probability(before[first]),
            "target_probability_before": network.probability(before[target]),
            "largest_change": int(change.max()),
            "mean_change": float(change.mean()),
        }

    return Plan(recipe, measure_class(network, target), result, lambda _, picture: comparison(original, picture))


def comparison(original: Pixels, picture: Pixels) -> Mapping[str, bytes]:
    """PNG files: the original, the difference on grey, ten times the difference, and all four side by side."""
    change = picture.astype(int) - original
    difference, tenfold = ((change * k + 128).clip(0, 255).astype(np.uint8) for k in (1, 10))
    panel = images.beside(original, picture, difference, tenfold)
    named = {"original.png": original, "difference.png": difference, "difference_x10.png": tenfold, "panel.png": panel}
    return {name: images.encode_png(pixels) for name, pixels in named.items()}
