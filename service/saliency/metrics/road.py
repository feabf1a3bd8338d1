"""ROAD: what is removed is filled in from its surroundings, so that the holes themselves say nothing."""

from collections.abc import Iterator, Sequence

import numpy as np

from service.attribution import Floats
from service.saliency.metrics.case import Amounts, Case
from service.saliency.metrics.curves import ranked
from service.saliency.metrics.imputation import filled_in
from service.saliency.metrics.metric import Candidate, Measured, metric

PAPER = "Rong et al. 2022, A Consistent and Efficient Evaluation Strategy for Attribution Methods, section 4"
FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
FILLING_RUNS = 20  # solving one of the systems takes about as long as this many runs


def _filled(maps: Sequence[int], amounts: Amounts) -> int:  # noqa: ARG001 - all costs have one signature
    return len(maps) * len(FRACTIONS) * (1 + FILLING_RUNS)


@metric("road_most_relevant", PAPER, "smaller", _filled)
def road_most_relevant(case: Case, candidate: Candidate) -> Measured:
    """The mean probability of the class when 10 to 90 % of the pixels are filled in from the others, hottest first.

    Tells the same as deletion, without black holes that give themselves away. Large areas are filled in with a
    blur, and a network may still recognize what their outline leaves.
    """
    return _road(case, candidate.heat)


@metric("road_least_relevant", PAPER, "larger", _filled)
def road_least_relevant(case: Case, candidate: Candidate) -> Measured:
    """The mean probability of the class when 10 to 90 % of the pixels are filled in from the others, coldest first.

    Tells the same as deletion, without black holes that give themselves away. Large areas are filled in with a
    blur, and a network may still recognize what their outline leaves.
    """
    return _road(case, -candidate.heat)


def _road(case: Case, heat: Floats) -> Measured:
    found = case.probabilities(_pictures(case.image, heat))
    return Measured(float(found.mean()), FRACTIONS, tuple(found.tolist()))


def _pictures(image: Floats, heat: Floats) -> Iterator[Floats]:
    rank, rng = ranked(heat), np.random.default_rng(0)
    for fraction in FRACTIONS:
        yield filled_in(image, rank < round(fraction * heat.size), rng)
