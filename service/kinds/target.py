"""What makes anything else grow that a network computes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue

from service.attribution import Floats
from service.errors import InvalidParameter
from service.kinds.feature import FromNoise
from service.kinds.plan import Inputs, Measurement, Plan, kind, seen
from service.networks.network import Network
from service.networks.questions import Target
from service.pictures.decode import Pixels
from service.saliency.grammar import FORM, as_text, known_target, parse
from service.saliency.targets import Beside, check_target, resolve
from service.synthesis.ascent import State

_OF_PICTURES = {"detection", "side", "match"}  # what is found in a picture, and noise has none


class TargetParameters(FromNoise):
    """What makes a target grow: an element of an output, a single neuron, the odds of a class, a contrast."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "target", "target": "class:76 - class:79", "preset": "lucid"},
                {"kind": "target", "target": {"layer": "fire6", "index": [12, 6, 6]}, "preset": "lucid"},
            ]
        }
    )
    kind: Literal["target"]
    target: Annotated[
        str,
        BeforeValidator(as_text),
        AfterValidator(known_target),
        Field(
            description=f"What grows, in the form of `POST /saliency`: a sum of {FORM}, or JSON. `region` is the whole "
            "picture, `similarity` needs a vector, and detections there are none.",
            examples=["layer:fire6[12, 6, 6]"],
        ),
    ]

    def completed(self, network: Network) -> Self:
        """With the defaults of the preset. Raises `InvalidParameter` for what the network does not have."""
        complete = super().completed(network)
        wanted = parse(self.target)
        check_target(network, wanted)
        if wanted.kinds & _OF_PICTURES:
            raise InvalidParameter("noise has no detections that could grow; name the score as output:NAME[box, class]")
        network.check_size(*network.size_of(complete.size))
        _resolved(network, complete)
        return complete


def _resolved(network: Network, parameters: TargetParameters) -> Target:
    """The target for pictures of the size of the job."""
    size = network.size_of(parameters.size)
    grey = np.full((3, *size), 0.5, np.float32)
    found = resolve(network, grey, parse(parameters.target), Beside(np.ones(size, bool)))
    return replace(found, quantity=replace(found.quantity, wakes=found.quantity.transform == "none"))


@kind(TargetParameters)
def draw_target(network: Network, parameters: TargetParameters, inputs: Inputs) -> Plan:  # noqa: ARG001
    """Draw what makes a target grow (Erhan et al. 2009, "Visualizing Higher-Layer Features", section 3)."""
    target = _resolved(network, parameters)

    def result(state: State, picture: Pixels) -> dict[str, JsonValue]:  # noqa: ARG001
        told = {"target": parse(parameters.target).text, "value": target.quantity.value}
        return seen(network, picture) | told

    return Plan(parameters.recipe(network), measure_target(network, target), result)


def measure_target(network: Network, target: Target) -> Callable[[Floats], Measurement]:
    """A function of an image (3, H, W) that measures it for the target."""

    def measure(image: Floats) -> Measurement:
        at = network.value_and_grad(image[None], target=target)
        return Measurement(float(at.scores[0]), at.gradients[0])

    return measure
