"""A photograph that the network takes for something else, changed as little as possible."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from service.kinds.plan import Inputs, Parameters, Plan, kind, measure_class, probabilities, seen, to_pixels
from service.networks.network import Network
from service.pictures import images
from service.pictures.images import Pixels
from service.synthesis.ascent import Recipe, State
from service.synthesis.optimizers import NormalizedAscent
from service.synthesis.photographs import NormalizedPhoto


@kind("fooling")
def fool(network: Network, class_id: int | None, parameters: Parameters, inputs: Inputs) -> Plan:
    """Steps of one length up the score of the target, until it is the top class (Szegedy et al. 2013; CS231n, "Fooling Images").

    The network sees the picture in whole 255ths at every step, so that the file fools it too.
    """
    assert class_id is not None
    target, photo = class_id, inputs["image"]
    original = to_pixels(photo)
    recipe = Recipe(
        NormalizedPhoto(photo.astype(np.float64), rounded=True),
        [],
        NormalizedAscent(parameters["learning_rate"], "norm"),
        parameters["iterations"],
        stop_at_rank_1=True,
    )

    def result(state: State, picture: Pixels) -> dict[str, Any]:
        before = probabilities(network, original)
        first = int(before.argmax())
        change = np.abs(picture.astype(int) - original)
        after = seen(network, picture, target)
        return after | {
            "fooled": after["rank"] == 1,
            "steps_needed": state.first_at_rank_1,
            "original_class_id": first,
            "original_name": network.model.manifest.labels[first],
            "original_probability": float(before[first]),
            "target_probability_before": float(before[target]),
            "largest_change": int(change.max()),
            "mean_change": float(change.mean()),
        }

    return Plan(recipe, measure_class(network, target), result, lambda _, picture: comparison(original, picture))


def comparison(original: Pixels, picture: Pixels) -> Mapping[str, bytes]:
    """The original, the difference on grey, ten times the difference, and all four side by side."""
    change = picture.astype(int) - original
    difference, tenfold = ((change * k + 128).clip(0, 255).astype(np.uint8) for k in (1, 10))
    panel = images.beside(original, picture, difference, tenfold)
    named = {"original.png": original, "difference.png": difference, "difference_x10.png": tenfold, "panel.png": panel}
    return {name: images.encode_png(pixels) for name, pixels in named.items()}
