"""How concentrated a map is."""

import numpy as np

from service.saliency.metrics.case import Case
from service.saliency.metrics.metric import Candidate, Measured, metric


@metric(
    "sparseness",
    "Chalasani et al. 2020, Concise Explanations of Neural Networks using Adversarial Training, section 6",
    "larger",
    is_default=True,
)
def sparseness(case: Case, candidate: Candidate) -> Measured:  # noqa: ARG001 - metrics share one signature
    """The Gini index of the absolute values of the map: 0 if all are equal, near 1 if few pixels hold everything.

    Tells how easy the map is to read, not whether it is right: the map of a single pixel, whichever, has the best
    value.
    """
    values = np.sort(np.abs(candidate.map), axis=None).astype(np.float64)
    if not (total := values.sum()):
        return Measured(None)
    weights = (values.size - np.arange(values.size) - 0.5) / values.size
    return Measured(float(1 - 2 * (values * weights).sum() / total))


@metric(
    "complexity",
    "Bhatt et al. 2020, Evaluating and Aggregating Feature-based Model Explanations, section 2",
    "smaller",
    is_default=True,
)
def complexity(case: Case, candidate: Candidate) -> Measured:  # noqa: ARG001 - metrics share one signature
    """The entropy of the shares that pixels have in the absolute values of the map, in nats; 10.8 of 50,176 at most.

    Tells how easy the map is to read, not whether it is right: the map of a single pixel, whichever, has the best
    value.
    """
    from scipy.special import entr  # takes time and memory to be imported

    values = np.abs(candidate.map, dtype=np.float64)
    if not (total := values.sum()):
        return Measured(None)
    return Measured(float(entr(values / total).sum()))
