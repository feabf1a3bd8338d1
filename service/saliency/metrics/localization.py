"""Whether a map is where the object is."""

import numpy as np

from service.saliency.metrics.case import Bools, Case
from service.saliency.metrics.curves import ranked
from service.saliency.metrics.metric import Candidate, Measured, metric

ARRAS = (
    "Arras et al. 2022, CLEVR-XAI: A benchmark dataset for the ground truth evaluation of neural network explanations"
)
THRESHOLD = 0.2  # of the hottest pixel, from which on pixels count as part of the object


def _region(case: Case) -> Bools:
    assert case.region is not None, "the metric needs a region"
    return case.region


@metric(
    "pointing_game",
    "Zhang et al. 2016, Top-down Neural Attention by Excitation Backprop, section 4.1",
    "larger",
    is_default=True,
    needs_region=True,
)
def pointing_game(case: Case, candidate: Candidate) -> Measured:
    """Whether the hottest pixel is inside: 1 or 0, a share where several are equally hot.

    Tells whether the map is where people see the object, not whether it is right: a network may have decided by the
    background, and a map that says so loses. It is a yes or no, so take many photographs.
    """
    return Measured(float(_region(case)[candidate.heat == candidate.heat.max()].mean()))


@metric("relevance_mass_accuracy", ARRAS, "larger", is_default=True, needs_region=True)
def relevance_mass_accuracy(case: Case, candidate: Candidate) -> Measured:
    """The share of the map's energy, the sum of what is positive, that is inside.

    Tells how much of the map is where people see the object, not whether it is right. `random` gets the share of the
    picture that the object covers; few very hot pixels decide.
    """
    energy = candidate.heat.clip(min=0).astype(np.float64)
    total = energy.sum()
    return Measured(float(energy[_region(case)].sum() / total) if total else None)


@metric("relevance_rank_accuracy", ARRAS, "larger", is_default=True, needs_region=True)
def relevance_rank_accuracy(case: Case, candidate: Candidate) -> Measured:
    """The share inside of as many of the hottest pixels as the object has.

    Tells whether the hottest pixels are where people see the object, not whether they are right. `random` gets the
    share of the picture that the object covers; how much hotter they are than others does not count.
    """
    region = _region(case)
    return Measured(float(region[ranked(candidate.heat) < region.sum()].mean()))


@metric(
    "iou",
    "Zhou et al. 2016, Learning Deep Features for Discriminative Localization, section 3",
    "larger",
    is_default=True,
    needs_region=True,
)
def iou(case: Case, candidate: Candidate) -> Measured:
    """The intersection over the union of the object with the pixels above 20 % of the hottest one.

    Tells whether the map covers what people see as the object, and no more. It is made for maps in one piece: grainy
    ones fill little of an object, however right they are.
    """
    region, top = _region(case), candidate.heat.max()
    if top <= 0:
        return Measured(None)
    found = candidate.heat > THRESHOLD * top
    return Measured(float((found & region).sum() / (found | region).sum()))
