"""Black-box methods on regions of the picture: which sets of regions carry the score, and what each contributes.

A coalition is a set of regions that are shown; the others are covered. All methods of this module draw coalitions, look
at the scores, and give each region a value. Regions are square cells, or superpixels that follow the edges.
"""

from collections.abc import Generator, Iterator
from math import ceil
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from service.attribution.baselines import Fill, baseline
from service.attribution.method import CHUNK, Attribution, Floats, Parameters, Steps, Subject, ValueAndGrad, method
from service.attribution.sampling import Array, Seed
from service.attribution.segments import Shape, labelled

Coalitions = npt.NDArray[np.float64]  # (n, regions): 1 where a region is shown, 0 where it is covered


class Regions(Parameters):
    """Parameters of methods on regions."""

    regions: Annotated[
        Shape, Field(description="Square cells, or at most as many superpixels, which follow the edges (SLIC).")
    ] = "cells"
    cells: Annotated[int, Field(ge=2, le=32, description="Cells along a side of the picture.")] = 7
    fill: Annotated[Fill, Field(description="What covers the regions.")] = "mean"

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture, and one for each region."""
        return 1 + self.cells**2


class Random(Regions):
    """Parameters of methods that draw random coalitions."""

    seed: Seed = 0


class Sampled(Random):
    """Parameters of methods that draw as many coalitions as they are told."""

    samples: Annotated[int, Field(ge=10, le=20_000, description="Coalitions; more are less grainy.")] = 500

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture, and one for each coalition."""
        return 1 + self.samples


class Constrained(Sampled):
    """Parameters of Kernel SHAP."""

    def runs_needed(self, height: int, width: int) -> int:
        """As many as for LIME, and two for no region and for all of them."""
        return super().runs_needed(height, width) + 2


class Paired(Sampled):
    """Parameters of methods that compare each coalition with each other."""

    samples: Annotated[int, Field(ge=10, le=2000, description="Coalitions; more are less grainy.")] = 500


class Permuted(Random):
    """Parameters of Shapley sampling."""

    permutations: Annotated[int, Field(ge=1, le=1000, description="Orders in which the regions appear.")] = 10

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture, and for each order one for each region and one more."""
        return 1 + self.permutations * (self.cells**2 + 1)


class Designed(Random):
    """Parameters of Sobol indices."""

    designs: Annotated[int, Field(ge=4, le=512, description="Pairs of points of the design.")] = 16

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture, and for each pair of points two and one for each region."""
        return 1 + self.designs * (self.cells**2 + 2)


@method("lime", "Ribeiro et al. 2016, Why Should I Trust You?, section 3", Sampled, sign="positive")
def lime(subject: Subject, image: Floats, class_id: int, parameters: Sampled) -> Steps:
    """A linear model of the score near the picture, whose features are regions that are shown or covered.

    Use it where a linear, local model is wanted. Not for exact shares: they depend on the kernel.
    """
    scoring = _Scoring(subject, image, class_id, parameters)
    shown = (np.random.default_rng(parameters.seed).random((parameters.samples, scoring.number)) < 0.5).astype(float)
    scores = yield from scoring.scores(shown)
    distances = 1 - np.sqrt(shown.mean(axis=1))  # by the cosine, to the picture as a whole
    weights = np.exp(-(distances**2) / 0.25**2)
    return scoring.attribution(_regression(shown, scores, weights, ridge=1.0)[1:])


@method(
    "kernel_shap",
    "Lundberg & Lee 2017, A Unified Approach to Interpreting Model Predictions, section 4.1",
    Constrained,
    "positive",
)
def kernel_shap(subject: Subject, image: Floats, class_id: int, parameters: Constrained) -> Steps:
    """Shapley values of regions by a regression: what each contributes, on average over all orders of appearance.

    Use it for shares that add up. Not with few samples and many regions, which is noisy.
    """
    scoring = _Scoring(subject, image, class_id, parameters)
    number, rng = scoring.number, np.random.default_rng(parameters.seed)
    sizes = np.arange(1, number)
    likely = 1 / (sizes * (number - sizes))  # the kernel summed over all coalitions of a size
    drawn = rng.choice(sizes, size=parameters.samples, p=likely / likely.sum())
    shown = np.stack([rng.permutation(number) < size for size in drawn]).astype(float)
    ends = np.stack([np.zeros(number), np.ones(number)])
    scores = yield from scoring.scores(np.concatenate([ends, shown]))
    nothing, everything = scores[:2]
    # The values sum up to what all regions gain together, so the last one is what the others leave.
    gain = everything - nothing
    features = shown[:, :-1] - shown[:, -1:]
    found = _regression(features, scores[2:] - nothing - shown[:, -1] * gain, np.ones(len(shown)), intercept=False)
    return scoring.attribution(np.append(found, gain - found.sum()))


@method(
    "shapley_sampling",
    "Štrumbelj & Kononenko 2010, An Efficient Explanation of Individual Classifications, section 3",
    Permuted,
    "positive",
)
def shapley_sampling(subject: Subject, image: Floats, class_id: int, parameters: Permuted) -> Steps:
    """Shapley values of regions by random orders: the mean gain when one appears beside those before it.

    Use it for shares that add up without a regression's assumptions. Not in a hurry.
    """
    scoring = _Scoring(subject, image, class_id, parameters)
    number, rng = scoring.number, np.random.default_rng(parameters.seed)
    orders = [rng.permutation(number) for _ in range(parameters.permutations)]
    shown = np.zeros((len(orders), number + 1, number))
    for k, order in enumerate(orders):
        shown[k][:, order] = np.tri(number + 1, number, -1)
    scores = yield from scoring.scores(shown.reshape(-1, number))
    gains = np.zeros(number)
    for order, along in zip(orders, scores.reshape(len(orders), -1), strict=True):
        gains[order] += np.diff(along)
    return scoring.attribution(gains / len(orders))


@method("hsic", "Novello et al. 2022, Making Sense of Dependence, section 3", Paired, sign="positive")
def hsic(subject: Subject, image: Floats, class_id: int, parameters: Paired) -> Steps:
    """How much the score depends on a region, of whatever kind the dependence is (Hilbert-Schmidt criterion).

    Use it instead of Sobol indices at a fraction of the runs. Not for the direction of an effect.
    """
    scoring = _Scoring(subject, image, class_id, parameters)
    shown = (np.random.default_rng(parameters.seed).random((parameters.samples, scoring.number)) < 0.5).astype(float)
    scores = yield from scoring.scores(shown)
    distances = np.square(scores[:, None] - scores)
    kernel = np.exp(-distances / (2 * max(np.median(distances), np.finfo(np.float64).tiny)))
    centred = kernel - kernel.mean(axis=0) - kernel.mean(axis=1, keepdims=True) + kernel.mean()
    # The kernel of masks is 1/2 for equal ones and −1/2 for others, which is a product of signs.
    signs = shown - 0.5
    return scoring.attribution(2 * np.einsum("ni,nm,mi->i", signs, centred, signs, optimize=True) / len(shown) ** 2)


@method(
    "feature_ablation",
    "Merrick 2019, Randomized Ablation Feature Importance, section 2",
    Regions,
    sign="positive",
)
def feature_ablation(subject: Subject, image: Floats, class_id: int, parameters: Regions) -> Steps:
    """By how much the score falls when a region is covered.

    Use it with superpixels for a fast, plain experiment on parts of objects. Not where parts stand in for each other.
    """
    scoring = _Scoring(subject, image, class_id, parameters)
    shown = np.concatenate([np.ones((1, scoring.number)), 1 - np.eye(scoring.number)])
    scores = yield from scoring.scores(shown)
    return scoring.attribution(scores[0] - scores[1:])


@method("sobol", "Fel et al. 2021, Look at the Variance!, section 3", Designed, sign="positive")
def sobol(subject: Subject, image: Floats, class_id: int, parameters: Designed) -> Steps:
    """The share of the variance of the score in which a region has a hand (total Sobol indices by Jansen's estimator).

    Use it to find regions that matter only together with others. Not for the direction of an effect.
    """
    from scipy.stats import qmc  # takes time and memory to be imported

    scoring = _Scoring(subject, image, class_id, parameters)
    number, designs = scoring.number, parameters.designs
    points = qmc.Sobol(2 * number, rng=np.random.default_rng(parameters.seed)).random(2 ** ceil(np.log2(designs)))
    a, b = points[:designs, :number], points[:designs, number:]
    mixed = np.repeat(a[None], number, axis=0)  # in the i-th, region i comes from the other point
    mixed[np.arange(number), :, np.arange(number)] = b.T
    scores = yield from scoring.scores(np.concatenate([a, b, mixed.reshape(-1, number)]))
    of_a, of_b = scores[:designs], scores[designs : 2 * designs]
    variance = np.concatenate([of_a, of_b]).var()
    squares = np.square(of_a - scores[2 * designs :].reshape(number, designs)).mean(axis=1)
    return scoring.attribution(squares / (2 * max(variance, np.finfo(np.float64).tiny)))


class _Scoring:
    """Scores of the picture with regions covered."""

    def __init__(self, subject: Subject, image: Floats, class_id: int, parameters: Regions) -> None:
        self._subject, self._image = subject, image
        self._labels = labelled(image, parameters.regions, parameters.cells)
        self.number = int(self._labels.max()) + 1
        self._cover = baseline(image, parameters.fill)
        self._at: ValueAndGrad = subject.value_and_grad(image[None], np.array([class_id]))
        self._class_id = int(self._at.class_ids[0])
        self._runs = 1

    def scores(self, shown: Coalitions) -> Generator[float, None, Array]:
        """The scores (n,) for coalitions, which may be shown in part; yields the fraction done."""
        found: list[float] = []
        for chunk in self._chunks(shown):
            found += self._subject.of(self._subject.logits(chunk), self._class_id).tolist()
            yield len(found) / len(shown)
        self._runs += len(shown)
        return np.array(found)

    def attribution(self, values: Array) -> Attribution:
        """The values of the regions as a map."""
        notes = {"samples": float(self._runs - 1), "regions": float(self.number)}
        return Attribution(self._spread(values[None])[0], self._at, notes)

    def _chunks(self, shown: Coalitions) -> Iterator[Floats]:
        for i in range(0, len(shown), CHUNK):
            masks = self._spread(shown[i : i + CHUNK])[:, None]
            yield self._cover + masks * (self._image - self._cover)

    def _spread(self, values: Array) -> Floats:
        """Values (n, regions) as maps (n, H, W)."""
        found: Floats = values.astype(np.float32)[:, self._labels]
        return found


def _regression(features: Array, values: Array, weights: Array, ridge: float = 0.0, intercept: bool = True) -> Array:
    """Coefficients of weighted least squares, the intercept first if there is one; the ridge spares the intercept."""
    if intercept:
        features = np.column_stack([np.ones(len(features)), features])
    penalty = ridge * np.eye(features.shape[1])
    penalty[0, 0] *= not intercept
    weighted = features * weights[:, None]
    solution = np.linalg.lstsq(weighted.T @ features + penalty, weighted.T @ values, rcond=None)[0]
    return np.asarray(solution, np.float64)
