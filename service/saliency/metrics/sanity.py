"""Sanity checks: whether a map depends on what the network has learned, and on the class."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from service.attribution import Floats
from service.networks.network import Network
from service.saliency.metrics.case import Amounts, Case
from service.saliency.metrics.metric import Candidate, Measured, metric

SESSION_RUNS = 50  # creating the sessions of a randomized network takes about as long as this many runs


def _stages(maps: Sequence[int], amounts: Amounts) -> int:
    """Only maps that look at the network need random ones."""
    return amounts.stages * sum(each + SESSION_RUNS for each in maps if each)


@metric(
    "cascading_randomization",
    "Adebayo et al. 2018, Sanity Checks for Saliency Maps, section 3",
    "smaller",
    _stages,
    is_default=True,
)
def cascading_randomization(case: Case, candidate: Candidate) -> Measured:
    """The mean rank correlation with the original map while more and more of the last layers get random weights.

    Tells whether the map depends on what the network has learned: near 1 it does not, and is an edge detector at
    best. A low value is no proof of a good map: a random one has it too.
    """
    names = _weighted(case.network)
    return _similarities(case, candidate, [names[-count:] for count in _counts(len(names), case.amounts.stages)])


@metric(
    "independent_randomization",
    "Adebayo et al. 2018, Sanity Checks for Saliency Maps, section 3",
    "smaller",
    _stages,
)
def independent_randomization(case: Case, candidate: Candidate) -> Measured:
    """The mean rank correlation with the original map when a single layer gets random weights.

    Tells which layers the map depends on: where it stays the same, it does not see that layer. Layers beside skip
    connections change little for any method.
    """
    names = _weighted(case.network)
    return _similarities(case, candidate, [[names[-count]] for count in _counts(len(names), case.amounts.stages)])


@metric(
    "random_logit",
    "Sixt et al. 2020, When Explanations Lie: Why Many Modified BP Attributions Fail",
    "smaller",
    lambda maps, _: sum(maps),
)
def random_logit(case: Case, candidate: Candidate) -> Measured:
    """The rank correlation with the map of another class, drawn at random.

    Tells whether the map is about the class: near 1 any class gets the same map. Classes that share their evidence
    have similar maps for good reason.
    """
    others = [i for i in range(case.network.classes) if i not in (case.class_id, case.other_class_id)]
    if case.target is not None or not others or not np.ptp(candidate.map):
        return Measured(None)
    class_id = int(np.random.default_rng(0).choice(others))
    other = candidate.again(lambda: case.network, case.image, class_id)
    return Measured(similarity(candidate.map, other), (case.network.model.manifest.labels[class_id],))


def similarity(one: Floats, other: Floats) -> float:
    """Spearman's rank correlation of the absolute values of two maps; 0 if one of them says nothing."""
    from scipy.stats import spearmanr  # takes time and memory to be imported

    one, other = np.abs(one), np.abs(other)
    if not np.isfinite(other).all() or not np.ptp(one) or not np.ptp(other):
        return 0.0
    return float(spearmanr(one, other, axis=None).statistic)


def _weighted(network: Network) -> list[str]:
    from service.graphs.randomization import weighted_nodes

    return weighted_nodes(network.model.proto)


def _counts(layers: int, stages: int) -> Iterator[int]:
    """Numbers of layers, from the last one, that are spread over all of them."""
    return (max(1, round(layers * k / stages)) for k in range(1, stages + 1) if layers)


def _similarities(case: Case, candidate: Candidate, stages: Sequence[list[str]]) -> Measured:
    """The similarities when these layers are random; each is named after the first of them."""
    found = []
    for layers in stages:
        other = candidate.again(partial(_forgetful, case.network, layers), case.image, case.class_id)
        found.append(similarity(candidate.map, other))
    value = float(np.mean(found)) if found and np.ptp(candidate.map) else None
    return Measured(value, tuple(layers[0] for layers in stages), tuple(found))


def _forgetful(network: Network, layers: list[str]) -> Network:
    """The network with random weights in these layers."""
    from service.graphs.randomization import randomized

    return network.with_weights(randomized(network.model.proto, layers))
