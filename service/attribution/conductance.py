"""Conductance: what each neuron of a layer passes on of the score, along the path of integrated gradients."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.attribution.method import CHUNK, Floats, Subject, ValueAndGrad
from service.attribution.paths import on_path

Array = npt.NDArray[np.float64]

MAX_VALUES = 2**22  # of a layer that are held for one chunk of the path


@dataclass(frozen=True)
class Conductance:
    """What the neurons of a layer pass on.

    Attributes:
        values: The conductance of each neuron, (C, h, w).
        at: The scores at the image, and the gradient at the layer.
        difference: The score at the image less that at the baseline. The values sum up to it if the path has enough
            points and nothing passes by the layer.
    """

    values: Array
    at: ValueAndGrad
    difference: float

    @property
    def channels(self) -> Array:
        """The conductance of each channel, (C,)."""
        total: Array = self.values.sum(axis=(1, 2))
        return total

    @property
    def error(self) -> float:
        """The sum of all values less the difference of the scores."""
        return float(self.values.sum()) - self.difference


def conductance(
    subject: Subject, image: Floats, class_id: int, layer: str, start: Floats, steps: int
) -> Generator[float, None, Conductance]:
    """Follow the straight line from ``start`` to the image, both (3, H, W); yields the fraction that is done.

    Dhamdhere et al. 2018, "How Important Is a Neuron?", section 2. The integral over ∂score/∂neuron · ∂neuron/∂path
    is a sum over ``steps`` parts of the path: the change of the neuron times the mean of the gradients at both ends
    (as in Shrikumar et al. 2018, "Computationally Efficient Measures of Internal Neuron Importance", section 3). It
    runs ``steps`` + 1 images through the network.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]), layer=layer)
    total, first = np.zeros(at.at.shape[1:]), 0.0
    chunk = max(1, min(CHUNK, MAX_VALUES // at.at.size))
    values = gradients = np.zeros((0, *total.shape), np.float32)  # at the last point of the chunk before
    for i in range(0, steps, chunk):
        places = np.arange(i, min(i + chunk, steps)) / steps
        points = np.asarray(start + places[:, None, None, None] * (image - start), np.float32)
        found = on_path(subject, points, at, layer)
        first = first if i else float(found.scores[0])
        values, gradients = np.concatenate([values, found.at]), np.concatenate([gradients, found.gradients])
        total += _passed_on(values, gradients)
        values, gradients = values[-1:], gradients[-1:]
        yield min(1.0, (i + chunk) / steps)
    total += _passed_on(np.concatenate([values, at.at]), np.concatenate([gradients, at.gradients]))
    return Conductance(total, at, float(at.scores[0]) - first)


def _passed_on(values: Floats, gradients: Floats) -> Array:
    """The sum (C, h, w) over the parts between neighbouring points, (n, C, h, w)."""
    parts = np.diff(values, axis=0) * (gradients[1:] + gradients[:-1])
    total: Array = parts.sum(axis=0, dtype=np.float64) / 2
    return total
