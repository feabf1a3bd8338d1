"""Several methods put to the same tests on the same photographs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from service.attribution import Floats
from service.errors import InvalidParameter
from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Photograph, Pixels
from service.pictures.images import Fitted
from service.saliency.evaluation import attribute, candidate_of
from service.saliency.explain import OVERLAY_SMOOTHING, Question
from service.saliency.metrics import (
    METRICS,
    Amounts,
    Candidate,
    Case,
    Measurements,
    baseline_maps,
    measure,
    runs_needed,
)
from service.saliency.targets import Beside, resolve

USUAL_METHODS = ("gradient", "smoothgrad", "integrated_gradients", "grad_cam", "lrp")
USUAL_METRICS = ("deletion", "insertion", "mu_fidelity", "sparseness", "random_logit")
READING = (
    "Metrics tell how maps relate to the network and to changes of the picture; none tells that a map is right, and "
    "they need not agree. Where a method is no better than `random` or `edges` the metric says nothing in its favour, "
    "small differences over few photographs may be chance, and the mean rank weighs all metrics alike."
)
DIGITS = 3  # after the point; values that differ less are equal

Values = dict[str, float | None]


@dataclass(frozen=True)
class Findings:
    """What was found on one photograph.

    Attributes:
        class_id: The class that was explained; None for another target.
        probabilities: Those of all classes, (classes,), or the scores where they are no probabilities.
        measurements: What the metrics say of the maps of the methods and of the baselines.
        seconds: The time that the map of each method took.
        pictures: The photograph and the overlay of each map, if they were asked for.
    """

    class_id: int | None
    probabilities: Floats
    measurements: Measurements
    seconds: dict[str, float]
    pictures: dict[str, Pixels]


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        methods: The methods that were compared.
        findings: What was found on each photograph.
        runs: The runs of the network that a map of each method takes.
    """

    methods: tuple[str, ...]
    findings: list[Findings]
    runs: dict[str, int]

    @property
    def seconds(self) -> dict[str, float]:
        """The time that a map of each method takes: the least, since a first map may wait for its graph."""
        return {method: min(each.seconds[method] for each in self.findings) for method in self.methods}

    @property
    def means(self) -> dict[str, Values]:
        """By metric, the mean over the photographs of each map; None where it is defined for none of them."""
        found = {}
        for metric, of_maps in self.findings[0].measurements.items():
            values = {who: [each.measurements[metric][who].value for each in self.findings] for who in of_maps}
            found[metric] = {who: _mean(of_all) for who, of_all in values.items()}
        return found

    @property
    def ranks(self) -> dict[str, dict[str, float]]:
        """By metric, the rank of each method, 1 for the best. Equal ones share the mean of theirs."""
        return {
            metric: _ranks({method: of_maps[method] for method in self.methods}, METRICS[metric].better == "larger")
            for metric, of_maps in self.means.items()
        }

    @property
    def mean_ranks(self) -> dict[str, float]:
        """The mean over the metrics of the rank of each method."""
        ranks = self.ranks.values()
        return {method: float(np.mean([each[method] for each in ranks])) for method in self.methods}


def compare(
    network: Network,
    taken: Sequence[tuple[Photograph, Fitted]],
    questions: Sequence[Question],
    metrics: Sequence[str],
    amounts: Amounts,
    besides: Sequence[Beside],
    side: int | None = None,
) -> Comparison:
    """Compare the methods of the questions, which ask for the same class or target, by default the predicted class.

    Args:
        network: The network.
        taken: The photographs, and what the network sees of them.
        questions: The methods with their parameters.
        metrics: The metrics.
        amounts: How much they compute.
        besides: What was sent along with each photograph for its target, and where the object is.
        side: The longest side of pictures of the maps; None for none.
    """
    findings = [
        _test(network, photograph, fitted, questions, metrics, amounts, beside, side)
        for (photograph, fitted), beside in zip(taken, besides, strict=True)
    ]
    size = taken[0][1].pixels.shape[1:]
    runs = {question.method: question.runs_needed(*size) for question in questions}
    return Comparison(tuple(question.method for question in questions), findings, runs)


def comparison_runs(
    questions: Sequence[Question], metrics: Sequence[str], amounts: Amounts
) -> Callable[[int, int], int]:
    """The cost of comparing on one photograph, by its height and width, in runs of the network."""

    def runs(height: int, width: int) -> int:
        each = [question.runs_needed(height, width) for question in questions]
        return 1 + sum(each) + runs_needed(metrics, each, amounts)

    return runs


def _test(
    network: Network,
    photograph: Photograph,
    fitted: Fitted,
    questions: Sequence[Question],
    metrics: Sequence[str],
    amounts: Amounts,
    beside: Beside,
    side: int | None,
) -> Findings:
    """All methods on one photograph."""
    image = fitted.pixels
    logits = network.classify(image[None])
    asked, wanted = questions[0].class_id, questions[0].target
    class_id = int(logits[0].argmax()) if asked is None else asked
    target = None if wanted is None else resolve(network, image, wanted, beside)
    if target is not None:
        class_id = 0  # the only score there is
    candidates: dict[str, Candidate] = {}
    seconds: dict[str, float] = {}
    for question in questions:
        question = replace(question, class_id=class_id)
        started = perf_counter()
        try:
            made = attribute(network, image, question, target).map
        except InvalidParameter as error:  # a network without attention, for instance
            raise InvalidParameter(f"{question.method} cannot be compared: {error}; leave it out") from error
        seconds[question.method] = perf_counter() - started
        candidates[question.method] = candidate_of(question, made, target)
    candidates |= baseline_maps(image)
    return Findings(
        class_id if target is None else None,
        network.probabilities(logits)[0],
        measure(Case(network, image, class_id, None, amounts, beside.region, target), candidates, metrics),
        seconds,
        {} if side is None else _pictures(photograph, fitted, candidates, side),
    )


def _pictures(
    photograph: Photograph, fitted: Fitted, candidates: Mapping[str, Candidate], side: int
) -> dict[str, Pixels]:
    """The photograph under an empty name, and each map over it."""
    seen = images.cut(photograph, fitted.box, side)
    heats = {
        who: images.normalize(candidate.heat.clip(min=0), OVERLAY_SMOOTHING) for who, candidate in candidates.items()
    }
    return {"": seen} | {who: images.overlay(seen, heat, "inferno", 0.9) for who, heat in heats.items()}


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _ranks(values: Values, larger_is_better: bool) -> dict[str, float]:
    """The ranks, of values as they are shown; what is not defined is last."""
    from scipy.stats import rankdata  # takes time and memory to be imported

    sign = -1 if larger_is_better else 1
    signed = [np.inf if value is None else sign * round(value, DIGITS) for value in values.values()]
    return dict(zip(values, rankdata(signed).tolist(), strict=True))
