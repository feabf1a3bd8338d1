"""What becomes of the probability of the class while pixels are removed or restored in the order of a map."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from service.attribution import Floats
from service.attribution.baselines import baseline
from service.saliency.metrics.case import Amounts, Case
from service.saliency.metrics.metric import Candidate, Measured, metric

PAPER = "Petsiuk et al. 2018, RISE, section 4.1"


def _one_curve_each(maps: Sequence[int], amounts: Amounts) -> int:
    return len(maps) * (amounts.points + 1)


@metric(
    "deletion",
    PAPER,
    "smaller",
    _one_curve_each,
    is_default=True,
)
def deletion(case: Case, candidate: Candidate) -> Measured:
    """The area under the probability of the class while the hottest pixels are made black, the hottest first.

    Tells whether the score needs what is hot. Black pixels are unlike anything the network has learned from, so
    part of the fall is due to that; it is the less, the less grainy the map.
    """
    counts, rank = _order(candidate.heat, case.amounts.points)
    return _curve(counts, case.probabilities(np.where(rank < n, np.float32(0), case.image) for n in counts))


@metric(
    "insertion",
    PAPER,
    "larger",
    _one_curve_each,
    is_default=True,
)
def insertion(case: Case, candidate: Candidate) -> Measured:
    """The area under the probability of the class while a blurred picture gets its pixels back, the hottest first.

    Tells whether what is hot is enough for the score. A map in one piece restores a part of the picture that looks
    natural, and has an advantage over an equally right one with scattered pixels.
    """
    counts, rank = _order(candidate.heat, case.amounts.points)
    blurred = baseline(case.image, "blur")
    return _curve(counts, case.probabilities(np.where(rank < n, case.image, blurred) for n in counts))


def ranked(heat: Floats) -> npt.NDArray[np.int64]:
    """The rank of each pixel (H, W), 0 for the hottest. Of equal ones the first is hotter."""
    rank = np.empty(heat.shape, np.int64)
    rank.flat[np.argsort(-heat, axis=None, kind="stable")] = np.arange(heat.size)
    return rank


def _order(heat: Floats, points: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The numbers of changed pixels along a curve, and the rank of each pixel."""
    return np.linspace(0, heat.size, points + 1).round().astype(np.int64), ranked(heat)


def _curve(counts: npt.NDArray[np.int64], probabilities: Floats) -> Measured:
    fractions = (counts / counts[-1]).astype(np.float32)
    area = float(np.trapezoid(probabilities, fractions))
    return Measured(area, tuple(fractions.tolist()), tuple(probabilities.tolist()))
