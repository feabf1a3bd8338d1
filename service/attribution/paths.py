"""Further methods that gather gradients along paths, or over many of them."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from service.attribution.baselines import Fill, baseline
from service.attribution.gradients import Noisy, Path, at_noisy_copies, complete, gained, summed, true_gradients
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
from service.attribution.sampling import Array, Sums, Tolerance, averaged

BASELINES: tuple[Fill, ...] = ("black", "white", "grey", "mean", "blur")


@method("smoothgrad_squared", "Hooker et al. 2019, A Benchmark for Interpretability Methods, section 4.2", Noisy)
def smoothgrad_squared(subject: Subject, image: Floats, class_id: int, parameters: Noisy) -> Steps:
    """The mean of the squared gradients at noisy copies: what matters in whichever direction; ranks pixels best."""
    at = subject.value_and_grad(image[None], np.array([class_id]))

    def mean(number: int, sums: Sums) -> Array:
        return sums[0] / number

    copies = at_noisy_copies(subject, image, at, parameters)
    chunks = ((len(gradients), (summed(np.square(gradients)),)) for gradients in copies)
    found, notes = yield from averaged(chunks, mean, parameters.samples, parameters.tolerance)
    return Attribution(largest(found.astype(np.float32)), at, notes)


class Expected(Parameters):
    """Parameters of expectations over baselines."""

    samples: Annotated[int, Field(ge=2, le=1000, description="Points on paths from random baselines.")] = 64
    noise: Annotated[
        float, Field(ge=0, le=1, description="Standard deviation of the noise on the picture; 1 is black to white.")
    ] = 0.0
    seed: Annotated[
        int, Field(ge=0, lt=2**53, description="Of the random numbers: the same seed gives the same map.")
    ] = 0
    tolerance: Tolerance = None

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture, one for each sample, and one for each baseline."""
        return 1 + self.samples + len(BASELINES)


@method("gradient_shap", "Erion et al. 2021, Axiomatic Attribution Priors and Expected Gradients, section 3", Expected)
def gradient_shap(subject: Subject, image: Floats, class_id: int, parameters: Expected) -> Steps:
    """
    Expected gradients: integrated gradients over random points and several baselines, so that no one of them decides.
    """  # noqa: D200 - too long for one line
    at = subject.value_and_grad(image[None], np.array([class_id]))
    starts = np.stack([baseline(image, fill) for fill in BASELINES])

    def mean(number: int, sums: Sums) -> Array:
        return sums[0] / number

    chunks = _expected(subject, image, at, starts, parameters)
    values, notes = yield from averaged(chunks, mean, parameters.samples, parameters.tolerance)
    difference = float(np.mean([gained(subject, at, start) for start in starts]))
    notes |= {"score_difference": difference, "completeness_error": float(values.sum()) - difference}
    return Attribution(values.astype(np.float32), at, notes)


def _expected(
    subject: Subject, image: Floats, at: ValueAndGrad, starts: Floats, parameters: Expected
) -> Iterator[tuple[int, Sums]]:
    """The number of samples of each chunk and the sum of their contributions, (H, W)."""
    rng = np.random.default_rng(parameters.seed)
    for i in range(0, parameters.samples, CHUNK):
        n = min(CHUNK, parameters.samples - i)
        of_each = starts[rng.integers(len(starts), size=n)]
        places = rng.random((n, 1, 1, 1), np.float32)
        ends = image + np.float32(parameters.noise) * rng.standard_normal((n, *image.shape), np.float32)
        points = np.asarray(of_each + places * (ends - of_each), np.float32)
        gradients = true_gradients(subject, points, at)
        yield n, (np.einsum("nchw,nchw->hw", gradients, ends - of_each, dtype=np.float64),)


class Steady(Path):
    """Parameters of a path with a fixed number of points."""

    baseline: Annotated[Fill, Field(description="Where the path begins.")] = "black"


@method("idgi", "Yang et al. 2023, IDGI, section 4", Steady)
def idgi(subject: Subject, image: Floats, class_id: int, parameters: Steady) -> Steps:
    """Integrated gradients whose every step goes to the pixels that changed the score: less noise, always complete."""
    at = subject.value_and_grad(image[None], np.array([class_id]))
    start = baseline(image, parameters.baseline)
    total, steps = np.zeros(image.shape[1:]), parameters.steps
    shares, scores = np.zeros((0, *image.shape[1:])), np.zeros(0)  # of the last point of the chunk before
    for i in range(0, steps + 1, CHUNK):
        places = np.arange(i, min(i + CHUNK, steps + 1)) / steps
        points = np.asarray(start + places[:, None, None, None] * (image - start), np.float32)
        found = subject.value_and_grad(points, np.repeat(at.class_ids, len(points)))
        squares = np.square(found.gradients, dtype=np.float64).sum(axis=1)
        sums = squares.sum(axis=(1, 2), keepdims=True)
        shares = np.concatenate([shares, np.divide(squares, sums, out=squares, where=sums > 0)])
        scores = np.concatenate([scores, found.scores])
        total += np.tensordot(np.diff(scores), shares[:-1], axes=1)
        shares, scores = shares[-1:], scores[-1:]
        yield min(1.0, (i + CHUNK) / (steps + 1))
    return complete(total, at, gained(subject, at, start), steps + 1)
