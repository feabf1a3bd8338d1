"""What excites a class or a channel most: pictures from noise."""

import numpy as np

from service.kinds.plan import Inputs, Parameters, Plan, kind, measure_class, measure_terms, seen
from service.networks.network import Network
from service.networks.objectives import Term
from service.synthesis.ascent import Recipe
from service.synthesis.presets import recipe


@kind("class")
def draw_class(network: Network, class_id: int | None, parameters: Parameters, inputs: Inputs) -> Plan:  # noqa: ARG001
    """What the network believes a class looks like (Simonyan et al. 2013, section 2)."""
    assert class_id is not None
    return Plan(
        recipe_of(parameters), measure_class(network, class_id), lambda _, picture: seen(network, picture, class_id)
    )


@kind("neuron")
def draw_neuron(network: Network, class_id: int | None, parameters: Parameters, inputs: Inputs) -> Plan:  # noqa: ARG001
    """What makes the mean of a channel grow (Erhan et al. 2009, "Visualizing Higher-Layer Features", section 3)."""
    terms = [Term("channel", parameters["layer"])]
    measure = measure_terms(network, terms, [1.0], {"0.channel": np.array([parameters["channel"]])})
    return Plan(recipe_of(parameters), measure, lambda _, picture: seen(network, picture))


def recipe_of(parameters: Parameters) -> Recipe:
    """The recipe that the complete parameters of a job describe."""
    names = ("size", "start", "iterations", "learning_rate", "l2_reg", "blur_every", "blur_sigma", "max_jitter")
    return recipe(parameters["preset"], **{name: parameters[name] for name in names})
