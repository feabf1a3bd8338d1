"""Whether a map foretells what happens to the score when parts of the picture are removed."""

from collections.abc import Sequence

import numpy as np

from service.saliency.metrics.case import Amounts, Case
from service.saliency.metrics.metric import Candidate, Measured, metric


def _shared(maps: Sequence[int], amounts: Amounts) -> int:
    """The same perturbed pictures serve all maps."""
    return amounts.perturbations + 1 if maps else 0


@metric(
    "infidelity",
    "Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, definition 2.1",
    "smaller",
    _shared,
)
def infidelity(case: Case, candidate: Candidate) -> Measured:
    """The mean square error with which the map, scaled best, foretells by how much removed squares lower the score.

    Tells whether sums of the map are proportional to falls of the score: 0 if they are, 1 for a map of zeros, to which
    it is relative. Any map foretells that larger squares matter more, so compare with `random`. Gradients and CAMs
    are no contributions and do not claim to. What is removed gets the mean colour, which is not nothing.
    """
    falls = case.squares.falls
    foretold = np.array(
        [candidate.heat[y : y + side, x : x + side].sum(dtype=np.float64) for y, x, side in case.squares.parts]
    )
    energy, own = float(falls @ falls), float(foretold @ foretold)
    if not energy:
        return Measured(None)
    scale = float(foretold @ falls) / own if own else 0.0
    return Measured(float(np.square(scale * foretold - falls).sum()) / energy)


@metric(
    "mu_fidelity",
    "Bhatt et al. 2020, Evaluating and Aggregating Feature-based Model Explanations, section 2",
    "larger",
    _shared,
)
def mu_fidelity(case: Case, candidate: Candidate) -> Measured:
    """The correlation of the map's sum over random cells with the fall of the score when these are removed.

    Tells whether the map ranks parts of the picture as the network does. From 100 subsets it is known to about
    0.1; pictures with covered cells are unlike those that the network has learned from.
    """
    falls = case.subsets.falls
    means = np.bincount(case.cells.flat, candidate.heat.flat) / np.bincount(case.cells.flat)
    foretold = case.subsets.parts @ means
    if np.ptp(foretold) <= 1e-9 * np.abs(foretold).max() or not np.ptp(falls):
        return Measured(None)
    return Measured(float(np.corrcoef(foretold, falls)[0, 1]))


@metric(
    "completeness",
    "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks, section 3",
    "smaller",
    lambda maps, _: 2 if maps else 0,
    is_default=True,
    of_baselines=False,
)
def completeness(case: Case, candidate: Candidate) -> Measured:
    """How far the sum of the map is from what the score has gained over a black picture, as a share of that.

    Tells whether values can be read as shares of the score. Only some methods promise that, and some of them
    against another baseline than black; a map may keep the sum and put it into the wrong pixels.
    """
    gained = case.score - case.black_score
    if not gained:
        return Measured(None)
    return Measured(abs(float(candidate.map.sum(dtype=np.float64)) - gained) / abs(gained))
