"""Whether a map stays the same when the picture hardly changes."""

import numpy as np

from service.saliency.metrics.case import Case
from service.saliency.metrics.metric import Candidate, Measured, metric

RADIUS = 0.02  # of the neighbourhood in each value of each pixel; 1 is from black to white


@metric(
    "sensitivity_max",
    "Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, definition 3.1",
    "smaller",
    lambda maps, amounts: amounts.neighbours * sum(maps),
)
def sensitivity_max(case: Case, candidate: Candidate) -> Measured:
    """The largest change of the map, as a share of the map, among pictures that differ by noise that no eye sees.

    Tells whether two photographs that look the same get the same map. A map that ignores the network is the most
    stable of all, and where the network itself is rough a faithful map is not. The largest of few neighbours is a
    lower bound.
    """
    rng, size = np.random.default_rng(0), float(np.linalg.norm(candidate.map))
    if not size:
        return Measured(None)
    changes = []
    for _ in range(case.amounts.neighbours):
        noise = rng.uniform(-RADIUS, RADIUS, case.image.shape).astype(np.float32)
        near = candidate.again(lambda: case.network, case.image + noise, case.class_id)
        changes.append(float(np.linalg.norm(near - candidate.map)) / size)
    return Measured(max(changes), series=tuple(changes))
