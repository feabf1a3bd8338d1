"""More of whatever a layer sees in a photograph."""

import numpy as np

from service.kinds.plan import Inputs, Parameters, Plan, kind, measure_terms, seen, to_pixels
from service.networks.network import Network
from service.networks.objectives import Term
from service.pictures import images
from service.synthesis.ascent import Recipe
from service.synthesis.optimizers import NormalizedAscent
from service.synthesis.photographs import Octaves
from service.synthesis.transforms import Jitter


@kind("deepdream")
def dream(network: Network, class_id: int | None, parameters: Parameters, inputs: Inputs) -> Plan:  # noqa: ARG001
    """The energy of a layer, or of one of its channels, climbed octave by octave (Mordvintsev et al. 2015, "Inceptionism")."""
    photo, channel = inputs["image"], parameters["channel"]
    if channel is None:
        measure = measure_terms(network, [Term("energy", parameters["layer"])], [1.0], {})
    else:
        measure = measure_terms(
            network, [Term("channel", parameters["layer"])], [1.0], {"0.channel": np.array([channel])}
        )
    octaves = Octaves(
        photo.astype(np.float64), parameters["octaves"], parameters["octave_scale"], parameters["steps_per_octave"]
    )
    optimizer = NormalizedAscent(parameters["learning_rate"] / 255, "mean")
    recipe = Recipe(octaves, [Jitter(parameters["max_jitter"])], optimizer, parameters["iterations"])
    original = {"original.png": images.encode_png(to_pixels(photo))}
    return Plan(recipe, measure, lambda _, picture: seen(network, picture), lambda _state, _picture: original)
