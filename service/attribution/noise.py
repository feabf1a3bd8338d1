"""Methods that look at gradients of noisy copies of the picture."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from service.attribution.method import (
    CHUNK,
    Attribution,
    Floats,
    Parameters,
    Steps,
    Subject,
    ValueAndGrad,
    largest,
    method,
)
from service.attribution.sampling import Array, Seed, Sums, Tolerance, averaged, mean


class Noisy(Parameters):
    """Parameters of methods that average over noisy copies of the picture."""

    samples: Annotated[int, Field(ge=2, le=1000, description="Noisy copies of the picture.")] = 25
    noise: Annotated[
        float, Field(gt=0, le=1, description="Standard deviation of the noise; 1 is the range from black to white.")
    ] = 0.15
    seed: Seed = 0
    tolerance: Tolerance = None

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture itself and one for each copy."""
        return 1 + self.samples


@method("smoothgrad", "Smilkov et al. 2017, SmoothGrad, section 3.1", Noisy)
def smoothgrad(subject: Subject, image: Floats, class_id: int, parameters: Noisy) -> Steps:
    """The mean of the gradients at noisy copies of the picture: less grainy than one gradient.

    Use it where the gradient is too grainy to be read. Not to compare magnitudes: it has no unit.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]))

    copies = _at_noisy_copies(subject, image, at, parameters)
    chunks = ((len(gradients), (_summed(gradients),)) for gradients in copies)
    found, notes = yield from averaged(chunks, mean, parameters.samples, parameters.tolerance)
    return Attribution(largest(found.astype(np.float32)), at, notes)


@method("smoothgrad_squared", "Hooker et al. 2019, A Benchmark for Interpretability Methods, section 4.2", Noisy)
def smoothgrad_squared(subject: Subject, image: Floats, class_id: int, parameters: Noisy) -> Steps:
    """The mean of the squared gradients at noisy copies: what matters in whichever direction; ranks pixels best.

    Use it to rank pixels. Not for the direction of an effect.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]))

    copies = _at_noisy_copies(subject, image, at, parameters)
    chunks = ((len(gradients), (_summed(np.square(gradients)),)) for gradients in copies)
    found, notes = yield from averaged(chunks, mean, parameters.samples, parameters.tolerance)
    return Attribution(largest(found.astype(np.float32)), at, notes)


@method("vargrad", "Adebayo et al. 2018, Local Explanation Methods ... Lack Sensitivity, section 3", Noisy)
def vargrad(subject: Subject, image: Floats, class_id: int, parameters: Noisy) -> Steps:
    """The variance of the gradients at noisy copies of the picture.

    Use it to see where the gradient is unsure. Not as evidence for a class: the sign is lost.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]))

    def variance(number: int, sums: Sums) -> Array:
        total, squares = sums
        return squares / number - (total / number) ** 2

    copies = _at_noisy_copies(subject, image, at, parameters)
    chunks = ((len(gradients), (_summed(gradients), _summed(np.square(gradients)))) for gradients in copies)
    found, notes = yield from averaged(chunks, variance, parameters.samples, parameters.tolerance)
    return Attribution(largest(found.astype(np.float32)), at, notes)


def _at_noisy_copies(subject: Subject, image: Floats, at: ValueAndGrad, parameters: Noisy) -> Iterator[Floats]:
    """The gradients (n, 3, H, W) of each chunk of noisy copies."""
    rng = np.random.default_rng(parameters.seed)
    for i in range(0, parameters.samples, CHUNK):
        n = min(CHUNK, parameters.samples - i)
        copies = rng.standard_normal((n, *image.shape), np.float32)
        copies *= np.float32(parameters.noise)
        copies += image
        yield subject.value_and_grad(copies, np.repeat(at.class_ids, n)).gradients


def _summed(gradients: Floats) -> Array:
    """The sum (3, H, W) of the gradients (n, 3, H, W) of a chunk: in float32, as the few of a chunk lose nothing."""
    total: Array = gradients.sum(axis=0).astype(np.float64)
    return total
