"""What the scores of a network say of its classes."""

import numpy as np

from service.attribution import Floats
from service.models.manifest import Scores


def activated(logits: Floats, kind: Scores) -> Floats:
    """Probabilities (N, classes) of logits (N, classes); the scores themselves if they are none."""
    if kind == "none":
        return logits
    found: Floats
    if kind == "sigmoid":
        found = np.exp(-np.logaddexp(0, -logits))
    else:
        found = np.exp(logits - logits.max(axis=1, keepdims=True))
        found /= found.sum(axis=1, keepdims=True)
    return found
