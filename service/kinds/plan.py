"""What defines a kind of job: its parameters, how its picture is made, and what its record tells of the result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args

import numpy as np
from pydantic import JsonValue

from service.attribution import Floats
from service.kinds.parameters import JobParameters
from service.networks.network import Network
from service.networks.questions import Term
from service.pictures.decode import Pixels
from service.pictures.images import to_floats
from service.synthesis.ascent import Measure, Recipe, State

P = TypeVar("P", bound=JobParameters)
Inputs = Mapping[str, Floats]  # pictures (3, H, W) in [0, 1] by name


@dataclass(frozen=True)
class Plan:
    """How the picture of a job is made, and what is told of it.

    Args:
        recipe: How the image is climbed.
        measure: The score that is climbed, and its gradient.
        result: What the record tells of the finished picture, uint8 (H, W, 3).
        artifacts: Files that are made beside the picture, by name.
    """

    recipe: Recipe
    measure: Measure
    result: Callable[[State, Pixels], dict[str, JsonValue]]
    artifacts: Callable[[State, Pixels], Mapping[str, bytes]] = lambda _state, _picture: {}


@dataclass(frozen=True)
class Kind:
    """A kind of job: the model of its parameters, and the planner that takes them once they are completed."""

    parameters: type[JobParameters]
    planner: Callable[[Network, Any, Inputs], Plan]


KINDS: dict[str, Kind] = {}


def kind(parameters: type[P]) -> Callable[[Callable[[Network, P, Inputs], Plan]], Callable[[Network, P, Inputs], Plan]]:
    """Register the decorated function as the planner of the kind that is named by the ``kind`` of the parameters."""
    (name,) = get_args(parameters.model_fields["kind"].annotation)

    def register(planner: Callable[[Network, P, Inputs], Plan]) -> Callable[[Network, P, Inputs], Plan]:
        KINDS[name] = Kind(parameters, planner)
        return planner

    return register


def plan(network: Network, parameters: JobParameters, inputs: Inputs) -> Plan:
    """The plan for completed parameters. inputs: the pictures that `parameters.images` names."""
    return KINDS[parameters.kind].planner(network, parameters, inputs)


@dataclass(frozen=True)
class Measurement:
    """What the network says of one image; see `synthesis.ascent.Measured`."""

    score: float
    gradient: Floats
    rank: int | None = None
    before_relu: bool = False


def measure_class(network: Network, class_id: int) -> Callable[[Floats], Measurement]:
    """A function of an image (3, H, W) that measures it for the class."""
    wanted = np.array([class_id])

    def measure(image: Floats) -> Measurement:
        at = network.value_and_grad(image[None], wanted)
        return Measurement(
            score=float(at.scores[0]),
            gradient=at.gradients[0],
            rank=rank_of(class_id, at.logits[0]),
            before_relu=bool(at.before_relu[0]),
        )

    return measure


def measure_terms(
    network: Network, terms: Sequence[Term], weights: Sequence[float], feeds: Mapping[str, np.ndarray[Any, Any]]
) -> Callable[[Floats], Measurement]:
    """A function of an image (3, H, W) that measures the weighted sum of the terms.

    Args:
        network: What measures.
        terms: What the score is made of.
        weights: One for each term.
        feeds: Further inputs of the terms by name; see `service.networks.objectives.weighted_terms`.
    """
    row = np.array([weights], np.float32)

    def measure(image: Floats) -> Measurement:
        score, _, gradients = network.measure(image[None], tuple(terms), row, feeds)
        return Measurement(float(score[0]), gradients[0])

    return measure


def direction_of(network: Network, layer: str, channels: Sequence[int], weights: Sequence[float]) -> Floats:
    """The weights of all channels of a layer, (C,), from those of some."""
    direction = np.zeros(network.layer(layer).channels, np.float32)
    np.add.at(direction, list(channels), weights)
    return direction


def measure_direction(network: Network, layer: str, direction: Floats) -> Callable[[Floats], Measurement]:
    """A function of an image (3, H, W) that measures the sum of the means of channels, weighted by the direction (C,).

    Without negative weights it is below 0 only where values before a Relu were taken.
    """
    climbs = bool((direction >= 0).all())
    measure_it = measure_terms(network, [Term("direction", layer)], [1.0], {"0.direction": direction[None]})

    def measure(image: Floats) -> Measurement:
        found = measure_it(image)
        return replace(found, before_relu=climbs and found.score < 0)

    return measure


def rank_of(class_id: int, scores: Floats) -> int:
    """The rank of the class among all by their scores (classes,); 1 is the top."""
    return int((scores > scores[class_id]).sum()) + 1


def probabilities(network: Network, picture: Pixels) -> Floats:
    """The class probabilities (classes,) of a picture, uint8 (H, W, 3)."""
    image = to_floats(picture)
    found: Floats = network.probabilities(network.classify(image[None]))[0]
    return found


def seen(network: Network, picture: Pixels, class_id: int | None = None) -> dict[str, JsonValue]:
    """What the network sees in a picture, and how much of a class if one is named."""
    found = probabilities(network, picture)
    predicted = int(found.argmax())
    of_class = (
        {}
        if class_id is None
        else {"probability": network.probability(found[class_id]), "rank": rank_of(class_id, found)}
    )
    return {
        "predicted_class_id": predicted,
        "predicted_name": network.model.manifest.labels[predicted],
        "predicted_probability": network.probability(found[predicted]),
        **of_class,
        "provider": network.provider,
        "model_sha256": network.model.sha256,
    }
