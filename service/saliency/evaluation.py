"""How far a saliency map can be trusted: a method put to the test on a photograph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from service.attribution import METHODS, Attribution, Floats
from service.networks.network import Network
from service.networks.questions import PREDICTED, Target
from service.saliency.explain import Question
from service.saliency.metrics import (
    Amounts,
    Candidate,
    Case,
    Measured,
    Measurements,
    baseline_maps,
    measure,
    runs_needed,
)
from service.saliency.targets import NOTHING, Beside, resolve
from service.saliency.view import View


@dataclass(frozen=True)
class Stage:
    """A stage of the cascading randomization.

    Attributes:
        layers: How many of the last layers are random.
        first: The name of the first of these.
        similarity: The rank correlation with the original map.
    """

    layers: int
    first: str
    similarity: float


@dataclass(frozen=True)
class Evaluated:
    """The result of an evaluation.

    Attributes:
        class_id: The class that was explained; None for another target.
        method: The method.
        measurements: What the metrics say of the map of the method, and of ``random`` and ``edges`` for comparison.
        map_sum: The sum of the map.
        score_difference: The score of the image minus that of a black one; a complete map sums up to it.
        stages: The stages of the cascading randomization.
        notes: What the method itself reports.
    """

    class_id: int | None
    method: str
    measurements: Measurements
    map_sum: float
    score_difference: float
    stages: list[Stage]
    notes: dict[str, float]


def evaluate(
    network: Network,
    image: Floats,
    question: Question,
    metrics: Sequence[str],
    amounts: Amounts,
    beside: Beside = NOTHING,
) -> Evaluated:
    """Evaluate the method of the question on an image (3, H, W) in [0, 1].

    beside: what was sent along for the target, and where the object is.
    """
    target = None if question.target is None else resolve(network, image, question.target, beside)
    attribution = attribute(network, image, question, target)
    class_id = int(attribution.at.class_ids[0])
    case = Case(network, image, class_id, question.other_class_id, amounts, beside.region, target)
    candidates = {question.method: candidate_of(question, attribution.map, target), **baseline_maps(image)}
    measurements = measure(case, candidates, metrics)
    return Evaluated(
        class_id=None if target is not None else class_id,
        method=question.method,
        measurements=measurements,
        map_sum=float(attribution.map.sum()),
        score_difference=case.score - case.black_score,
        stages=_stages(network, measurements.get("cascading_randomization", {}).get(question.method)),
        notes=attribution.notes,
    )


def evaluation_runs(question: Question, height: int, width: int, metrics: Sequence[str], amounts: Amounts) -> int:
    """The cost of `evaluate` in runs of the network, like `Parameters.runs_needed` for a single map."""
    each = question.runs_needed(height, width)
    return each + runs_needed(metrics, [each], amounts)


def attribute(network: Network, image: Floats, question: Question, target: Target | None = None) -> Attribution:
    """The map of the method of the question, from start to end. target: that of the question for this image."""
    view = View(network, question.other_class_id, target)
    class_id = PREDICTED if question.class_id is None else question.class_id
    return METHODS[question.method].run(view, image, class_id, question.parameters)


def candidate_of(question: Question, made: Floats, target: Target | None = None) -> Candidate:
    """The map (H, W) that the method of the question has made, as metrics see it."""

    def again(network: Callable[[], Network], image: Floats, class_id: int) -> Floats:
        asked = Question(question.method, question.parameters, class_id, question.other_class_id)
        return attribute(network(), image, asked, target).map

    return Candidate(made, np.abs(made) if METHODS[question.method].sign == "absolute" else made, again)


def _stages(network: Network, measured: Measured | None) -> list[Stage]:
    if measured is None:
        return []
    from service.graphs.randomization import weighted_nodes

    names = weighted_nodes(network.model.proto)
    return [
        Stage(len(names) - names.index(str(first)), str(first), similarity)
        for first, similarity in zip(measured.at, measured.series, strict=True)
    ]
