"""Methods based on the gradient with respect to the pixels."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from service.attribution.baselines import Fill, baseline, blurred
from service.attribution.method import (
    CHUNK,
    DECONVNET,
    GUIDED,
    Attribution,
    Floats,
    Parameters,
    Rules,
    Steps,
    Subject,
    ValueAndGrad,
    largest,
    method,
)
from service.attribution.sampling import Array, Sums, Tolerance, averaged

FEWEST_POINTS = 4  # with which an integral is first tried
INSENSITIVE = (
    "The map hardly depends on the class or on the weights of the higher layers: "
    "it fails the sanity checks of Adebayo et al. 2018. "
    "It shows what the image holds rather than what the decision rests on."
)


@method("gradient", "Simonyan et al. 2013, Deep Inside Convolutional Networks, section 3")
def gradient(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """The largest absolute gradient over the channels."""
    at = _at(subject, image, class_id)
    return Attribution(largest(at.gradients[0]), at)


@method("gradient_x_input", "Shrikumar et al. 2016, Not Just a Black Box, section 3")
def gradient_x_input(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """Gradient times pixel, summed over the channels: the contribution of each pixel to a linear model of the score."""
    at = _at(subject, image, class_id)
    return Attribution((at.gradients[0] * image).sum(axis=0), at)


class Noisy(Parameters):
    """Parameters of methods that average over noisy copies of the picture."""

    samples: Annotated[int, Field(ge=2, le=1000, description="Noisy copies of the picture.")] = 25
    noise: Annotated[
        float, Field(gt=0, le=1, description="Standard deviation of the noise; 1 is the range from black to white.")
    ] = 0.15
    seed: Annotated[
        int, Field(ge=0, lt=2**53, description="Of the random numbers: the same seed gives the same map.")
    ] = 0
    tolerance: Tolerance = None

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture itself and one for each copy."""
        return 1 + self.samples


@method("smoothgrad", "Smilkov et al. 2017, SmoothGrad, section 3.1", Noisy)
def smoothgrad(subject: Subject, image: Floats, class_id: int, parameters: Noisy) -> Steps:
    """The mean of the gradients at noisy copies of the picture: less grainy than one gradient."""
    at = _at(subject, image, class_id)

    def mean(number: int, sums: Sums) -> Array:
        return sums[0] / number

    copies = at_noisy_copies(subject, image, at, parameters)
    chunks = ((len(gradients), (summed(gradients),)) for gradients in copies)
    found, notes = yield from averaged(chunks, mean, parameters.samples, parameters.tolerance)
    return Attribution(largest(found.astype(np.float32)), at, notes)


@method("vargrad", "Adebayo et al. 2018, Local Explanation Methods ... Lack Sensitivity, section 3", Noisy)
def vargrad(subject: Subject, image: Floats, class_id: int, parameters: Noisy) -> Steps:
    """The variance of the gradients at noisy copies of the picture."""
    at = _at(subject, image, class_id)

    def variance(number: int, sums: Sums) -> Array:
        total, squares = sums
        return squares / number - (total / number) ** 2

    copies = at_noisy_copies(subject, image, at, parameters)
    chunks = ((len(gradients), (summed(gradients), summed(np.square(gradients)))) for gradients in copies)
    found, notes = yield from averaged(chunks, variance, parameters.samples, parameters.tolerance)
    return Attribution(largest(found.astype(np.float32)), at, notes)


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
    """  # noqa: D200 - too long for one line
    at = _at(subject, image, class_id)
    start = baseline(image, parameters.baseline)
    difference = gained(subject, at, start)
    total, values, done = np.zeros_like(image, np.float64), np.zeros(image.shape[1:]), 0
    for steps in parameters.refinements():
        middles = (np.arange(steps) + 0.5) / steps
        if done:
            middles = np.delete(middles, slice(1, None, 3))  # they were computed for a third as many
        for i in range(0, len(middles), CHUNK):
            points = np.asarray(start + middles[i : i + CHUNK, None, None, None] * (image - start), np.float32)
            total += true_gradients(subject, points, at).sum(axis=0, dtype=np.float64)
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
    """  # noqa: D200 - too long for one line
    at = _at(subject, image, class_id)
    # Sigma shrinks quadratically, so that more points lie where the picture is nearly sharp and changes most.
    sigmas = parameters.max_sigma * np.linspace(1, 0, parameters.steps + 1) ** 2
    path = [blurred(image, sigma) for sigma in sigmas]
    total = np.zeros_like(image, np.float64)
    for i in range(0, parameters.steps, CHUNK):
        ends = np.stack(path[i : min(i + CHUNK, parameters.steps) + 1])
        middles, ways = (ends[1:] + ends[:-1]) / 2, ends[1:] - ends[:-1]
        total += (true_gradients(subject, middles.astype(np.float32), at) * ways).sum(axis=0, dtype=np.float64)
        yield min(1.0, (i + CHUNK) / parameters.steps)
    return complete(total.sum(axis=0), at, gained(subject, at, path[0]), parameters.steps)


@method("guided_backprop", "Springenberg et al. 2014, Striving for Simplicity, section 3.4", warning=INSENSITIVE)
def guided_backprop(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """The gradient with all that is negative stopped at each Relu: sharp edges of what excites the network."""
    return _with_rules(subject, image, class_id, GUIDED)


@method(
    "deconvnet",
    "Zeiler & Fergus 2013, Visualizing and Understanding Convolutional Networks, section 2.1",
    warning=INSENSITIVE,
)
def deconvnet(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """The signal of the class sent back through the network, passed by each Relu where it is positive itself."""
    return _with_rules(subject, image, class_id, DECONVNET)


def _with_rules(subject: Subject, image: Floats, class_id: int, rules: Rules) -> Attribution:
    at = subject.value_and_grad(image[None], np.array([class_id]), rules)
    return Attribution(largest(at.gradients[0]), at)


def _at(subject: Subject, image: Floats, class_id: int) -> ValueAndGrad:
    return subject.value_and_grad(image[None], np.array([class_id]))


def at_noisy_copies(subject: Subject, image: Floats, at: ValueAndGrad, parameters: Noisy) -> Iterator[Floats]:
    """The gradients (n, 3, H, W) of each chunk of noisy copies."""
    rng = np.random.default_rng(parameters.seed)
    for i in range(0, parameters.samples, CHUNK):
        n = min(CHUNK, parameters.samples - i)
        copies = rng.standard_normal((n, *image.shape), np.float32)
        copies *= np.float32(parameters.noise)
        copies += image
        yield subject.value_and_grad(copies, np.repeat(at.class_ids, n)).gradients


def summed(gradients: Floats) -> Array:
    """The sum (3, H, W) of the gradients (n, 3, H, W) of a chunk: in float32, as the few of a chunk lose nothing."""
    total: Array = gradients.sum(axis=0).astype(np.float64)
    return total


def on_path(subject: Subject, points: Floats, at: ValueAndGrad, layer: str | None = None) -> ValueAndGrad:
    """What `value_and_grad` gives at points (n, 3, H, W), for the score that was differentiated at the image.

    If that is the score after a final ReLU, it is 0 with a zero gradient wherever the ReLU is inactive, although
    `value_and_grad` falls back to the score before the ReLU there.
    """
    found = subject.value_and_grad(points, np.repeat(at.class_ids, len(points)), layer=layer)
    if at.before_relu[0] or not found.before_relu.any():
        return found
    inactive = found.before_relu
    scores = np.where(inactive, np.float32(0), found.scores)
    gradients = np.where(inactive[:, None, None, None], np.float32(0), found.gradients)
    return replace(found, scores=scores, gradients=gradients)


def true_gradients(subject: Subject, points: Floats, at: ValueAndGrad) -> Floats:
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
