"""What an index of many explanations tells of each."""

import math
from typing import Any

from service.networks.network import Network
from service.saliency.explain import Explanation


def told(network: Network, one: Explanation) -> dict[str, Any]:
    """The fields of a line of an index that do not depend on how its files are kept, for JSON."""
    class_id = one.class_id
    probability = None if class_id is None else network.probability(one.probabilities[class_id])
    return {
        "model": network.model.name,
        "class_id": class_id,
        "class_name": None if class_id is None else network.model.manifest.labels[class_id],
        "score": _finite(one.score),
        "probability": _finite(probability),
        "target": one.target,
        "notes": {name: _finite(value) for name, value in one.notes.items()},
    }


def _finite(value: float | None) -> float | None:
    """A number that JSON has; None for what is none."""
    return float(value) if value is not None and math.isfinite(value) else None
