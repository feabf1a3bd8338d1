"""Methods that gather gradients along paths from an uninformative picture to the one in question."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from service.attribution.baselines import Fill, baseline, blurred
from service.attribution.method import CHUNK, Attribution, Floats, Parameters, Steps, Subject, ValueAndGrad, method
from service.attribution.sampling import Array, Seed, Sums, Tolerance, averaged, mean

FEWEST_POINTS = 4  # with which an integral is first tried
TINY = 1e-9  # of the way: what is left of it by rounding
BASELINES: tuple[Fill, ...] = ("black", "white", "grey", "mean", "blur")


class Path(Parameters):
    """Parameters of methods that integrate along a path."""

    steps: Annotated[int, Field(ge=2, le=1000, description="Points on the path.")] = 32

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture, one for each point and one for the other end of the path."""
        return 2 + self.steps


class StraightPath(Path):
    """Parameters of a straight path from a baseline."""

    baseline: Annotated[
        Fill, Field(description="Where the path begins: a colour, the mean colour, or the picture blurred.")
    ] = "black"
    tolerance: Tolerance = None

    def refinements(self) -> list[int]:
        """Numbers of points, the last of them at most ``steps``: all that are asked for, or each time thrice as many.

        The middles of a third of the parts are those of the parts before, so that none is computed twice.
        """
        if self.tolerance is None:
            return [self.steps]
        times = 0
        while self.steps // 3 ** (times + 1) >= FEWEST_POINTS:
            times += 1
        return [self.steps // 3**times * 3**i for i in range(times + 1)]


@method(
    "integrated_gradients", "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks, section 3", StraightPath
)
def integrated_gradients(subject: Subject, image: Floats, class_id: int, parameters: StraightPath) -> Steps:
    """
    The gradient along a straight line from a baseline, times the way: the map sums up to the difference of the scores.

    Use it where contributions must add up to the score. Not without a thought for the baseline: what looks like it
    gets nothing.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]))
    start = baseline(image, parameters.baseline)
    difference = gained(subject, at, start)
    total, values, done = np.zeros_like(image, np.float64), np.zeros(image.shape[1:]), 0
    for steps in parameters.refinements():
        middles = (np.arange(steps) + 0.5) / steps
        if done:
            middles = np.delete(middles, slice(1, None, 3))  # they were computed for a third as many
        for i in range(0, len(middles), CHUNK):
            points = np.asarray(start + middles[i : i + CHUNK, None, None, None] * (image - start), np.float32)
            total += _true_gradients(subject, points, at).sum(axis=0, dtype=np.float64)
            done += len(points)
            yield done / parameters.steps
        values = (total / steps * (image - start)).sum(axis=0)
        if parameters.tolerance is not None and abs(values.sum() - difference) <= parameters.tolerance * abs(
            difference
        ):
            break
    return complete(values, at, difference, done)


class BlurPath(Path):
    """Parameters of a path from a blurred picture to the sharp one."""

    max_sigma: Annotated[
        float, Field(gt=0, le=200, description="Of the Gaussian at the beginning of the path, in pixels.")
    ] = 50.0


@method("blur_integrated_gradients", "Xu et al. 2020, Attribution in Scale and Space, section 3", BlurPath)
def blur_integrated_gradients(subject: Subject, image: Floats, class_id: int, parameters: BlurPath) -> Steps:
    """
    The gradient along the path from the blurred picture to the sharp one: no baseline colour, and no artefacts of one.

    Use it instead of integrated gradients where no baseline colour is neutral. Not where large, flat areas matter.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]))
    # Sigma shrinks quadratically, so that more points lie where the picture is nearly sharp and changes most.
    sigmas = parameters.max_sigma * np.linspace(1, 0, parameters.steps + 1) ** 2
    path = [blurred(image, sigma) for sigma in sigmas]
    total = np.zeros_like(image, np.float64)
    for i in range(0, parameters.steps, CHUNK):
        ends = np.stack(path[i : min(i + CHUNK, parameters.steps) + 1])
        middles, ways = (ends[1:] + ends[:-1]) / 2, ends[1:] - ends[:-1]
        total += (_true_gradients(subject, middles.astype(np.float32), at) * ways).sum(axis=0, dtype=np.float64)
        yield min(1.0, (i + CHUNK) / parameters.steps)
    return complete(total.sum(axis=0), at, gained(subject, at, path[0]), parameters.steps)


class Expected(Parameters):
    """Parameters of expectations over baselines."""

    samples: Annotated[int, Field(ge=2, le=1000, description="Points on paths from random baselines.")] = 64
    noise: Annotated[
        float, Field(ge=0, le=1, description="Standard deviation of the noise on the picture; 1 is black to white.")
    ] = 0.0
    seed: Seed = 0
    tolerance: Tolerance = None

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture, one for each sample, and one for each baseline."""
        return 1 + self.samples + len(BASELINES)


@method("gradient_shap", "Erion et al. 2021, Axiomatic Attribution Priors and Expected Gradients, section 3", Expected)
def gradient_shap(subject: Subject, image: Floats, class_id: int, parameters: Expected) -> Steps:
    """
    Expected gradients: integrated gradients over random points and several baselines, so that no one of them decides.

    Use it instead of integrated gradients where the choice of one baseline would decide. Not for the last digit: it
    is an estimate.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]))
    starts = np.stack([baseline(image, fill) for fill in BASELINES])

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
        gradients = _true_gradients(subject, points, at)
        yield n, (np.einsum("nchw,nchw->hw", gradients, ends - of_each, dtype=np.float64),)


class Steady(Path):
    """Parameters of a path with a fixed number of points."""

    baseline: Annotated[Fill, Field(description="Where the path begins.")] = "black"


@method("idgi", "Yang et al. 2023, IDGI, section 4", Steady)
def idgi(subject: Subject, image: Floats, class_id: int, parameters: Steady) -> Steps:
    """Integrated gradients whose every step goes to the pixels that changed the score: less noise, always complete.

    Use it instead of integrated gradients where the map is noisy. Not for signs within a step, which share one.
    """
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


class Guided(Steady):
    """Parameters of guided integrated gradients."""

    steps: Annotated[int, Field(ge=2, le=1000, description="Points on the path; few leave much of the score over.")] = (
        100
    )
    fraction: Annotated[float, Field(gt=0, le=1, description="Share of the values that move in each step.")] = 0.25
    anchors: Annotated[
        float, Field(gt=0, le=1, description="How far a value may be from the straight path, as a share of its way.")
    ] = 0.02


@method(
    "guided_integrated_gradients",
    "Kapishnikov et al. 2021, Guided Integrated Gradients, sections 3 and 4",
    Guided,
)
def guided_integrated_gradients(subject: Subject, image: Floats, class_id: int, parameters: Guided) -> Steps:
    """Integrated gradients along a path that moves first what changes the score least: it avoids noise on the way.

    Use it instead of integrated gradients where the map is noisy. Not in a hurry: each step waits for the one before.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]))
    start = baseline(image, parameters.baseline)
    walk = _Walk(start, image, parameters)
    for k in range(parameters.steps):
        gradients = _true_gradients(subject, walk.point.astype(np.float32)[None], at)[0]
        walk.step((k + 1) / parameters.steps, gradients.astype(np.float64))
        yield (k + 1) / parameters.steps
    return complete(walk.total.sum(axis=0), at, gained(subject, at, start), parameters.steps)


class _Walk:
    """A point (3, H, W) on its way from the start to the image, and what each of its values has gathered."""

    def __init__(self, start: Floats, image: Floats, parameters: Guided) -> None:
        self.point, self.total = start.astype(np.float64), np.zeros(image.shape)
        self._start, self._way = start.astype(np.float64), image.astype(np.float64) - start
        self._fraction, self._anchors = parameters.fraction, parameters.anchors
        self._length = np.abs(self._way).sum()

    def step(self, done: float, gradients: Array) -> None:
        """Move on until what is left of the way is 1 − ``done`` of it: the values with the least gradients first."""
        nearest, furthest = (self._start + min(max(p, 0), 1) * self._way for p in self._bounds(done))
        self._move(np.where(self._lags(nearest), nearest, self.point), gradients)  # nobody stays behind
        left = self._left() - (1 - done) * self._length
        while left > TINY * self._length:
            free = self.point != furthest
            sizes = np.where(free, np.abs(gradients), np.inf)
            moving = free & (sizes <= np.quantile(sizes, self._fraction, method="lower"))
            room = np.abs(furthest - self.point)[moving].sum()
            share = min(1.0, left / room)
            target = furthest if share == 1 else self.point + share * (furthest - self.point)
            self._move(np.where(moving, target, self.point), gradients)
            left -= share * room

    def _bounds(self, done: float) -> tuple[float, float]:
        return done - self._anchors, done + self._anchors

    def _lags(self, nearest: Array) -> npt.NDArray[np.bool_]:
        return (nearest - self.point) * np.sign(self._way) > 0

    def _left(self) -> float:
        return float(np.abs(self._start + self._way - self.point).sum())

    def _move(self, target: Array, gradients: Array) -> None:
        self.total += gradients * (target - self.point)
        self.point = target


def on_path(subject: Subject, points: Floats, at: ValueAndGrad, layer: str | None = None) -> ValueAndGrad:
    """What `value_and_grad` gives at points (n, 3, H, W), for the score that was differentiated at the image.

    If that is the score after a final ReLU, it is 0 with a zero gradient wherever the ReLU is inactive, although
    `value_and_grad` falls back to the score before the ReLU there.
    """
    found = subject.value_and_grad(points, np.repeat(at.class_ids[:1], len(points)), layer=layer)
    if at.before_relu[0] or not found.before_relu.any():
        return found
    active = ~found.before_relu
    scores, gradients = found.scores * active, found.gradients * active[:, None, None, None]
    return replace(found, scores=scores, gradients=gradients)


def _true_gradients(subject: Subject, points: Floats, at: ValueAndGrad) -> Floats:
    """The gradients (n, 3, H, W) of `on_path`."""
    return on_path(subject, points, at).gradients


def gained(subject: Subject, at: ValueAndGrad, start: Floats) -> float:
    """The score at the image less that at the start of a path, which is what a complete map sums up to."""
    return float(at.scores[0]) - float(on_path(subject, start[None], at).scores[0])


def complete(values: Array, at: ValueAndGrad, difference: float, points: int) -> Attribution:
    """The attribution (H, W) from so many points, with the error of its completeness in the notes.

    The error is the sum of the map minus the difference between the scores at the two ends of the path.
    """
    error = float(values.sum()) - difference
    notes = {"score_difference": difference, "completeness_error": error, "samples": float(points)}
    return Attribution(values.astype(np.float32), at, notes)
