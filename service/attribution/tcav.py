"""Testing with concept activation vectors: whether the score of a class grows in the direction of a concept.

Kim et al. 2018, "Interpretability Beyond Feature Attribution: Quantitative Testing with Concept Activation Vectors".
Directions lie in the span of the examples, so inner products of activations are all that is needed of them.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

WEIGHT = 0.01  # of half the squared length of a direction, beside the mean loss; activations have variance 1
RANK = 1e-10  # eigenvalues below that share of the largest are rounding
HELD_OUT = 1 / 3  # share of the examples that tell how good a direction is


@dataclass(frozen=True)
class Tcav:
    """What the tests of a concept gave, over S splits of the examples.

    Attributes:
        scores: Share of the pictures of the class whose score grows towards the concept, (S,): the TCAV scores.
        random_scores: The same towards random pictures, (S,).
        accuracy: Share of the examples held out that the directions of the concept tell apart, the mean of all splits.
        random_accuracy: The same of the random directions, about 0.5.
        sensitivities: The derivative of the score of each picture of the class along the direction of length 1, the
            mean of all splits, (M,).
    """

    scores: Array
    random_scores: Array
    accuracy: float
    random_accuracy: float
    sensitivities: Array

    @property
    def p_value(self) -> float:
        """How likely scores would differ as much if the concept were random: see `welch`."""
        return welch(self.scores, self.random_scores)


def tcav(inner: Array, derivatives: Array, concepts: int, splits: int, seed: int) -> Generator[float, None, Tcav]:
    """Find directions for several random splits of the examples (section 3); yields the fraction that is done.

    In each split a direction is found between pictures of the concept and as many random ones, and for comparison one
    between random pictures and other random ones (section 3.4).

    Args:
        inner: Inner products of the activations of the examples, (E, E), those of the concept first.
        derivatives: Inner products of the gradients of M pictures of the class with these activations, (M, E).
        concepts: The number of examples of the concept, at least 2; there are at least 4 random ones.
        splits: The number of splits.
        seed: Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    space = _Space(inner, derivatives)
    randoms = len(inner) - concepts
    few, half = min(concepts, randoms), min(concepts, randoms // 2)
    of_concept, of_random = [], []
    for i in range(splits):
        drawn = concepts + rng.permutation(randoms)
        of_concept.append(space.split(rng.permutation(concepts)[:few], drawn[:few]))
        of_random.append(space.split(drawn[:half], drawn[half : 2 * half]))
        yield (i + 1) / splits
    along = np.stack([derivative for derivative, _ in of_concept])
    return Tcav(
        (along > 0).mean(axis=1),
        np.array([(derivative > 0).mean() for derivative, _ in of_random]),
        float(np.mean([accuracy for _, accuracy in of_concept])),
        float(np.mean([accuracy for _, accuracy in of_random])),
        along.mean(axis=0),
    )


class _Space:
    """The span of the activations of the examples, in coordinates along its principal axes.

    Args:
        inner: See `tcav`.
        derivatives: See `tcav`.
    """

    def __init__(self, inner: Array, derivatives: Array) -> None:
        centred = inner - inner.mean(axis=0) - inner.mean(axis=1, keepdims=True) + inner.mean()
        variances, axes = np.linalg.eigh(centred)
        kept = variances > RANK * max(variances[-1], np.finfo(float).tiny)
        lengths = np.sqrt(variances[kept])
        scale = np.sqrt(max(np.trace(centred) / len(inner), np.finfo(float).tiny))
        self._examples = axes[:, kept] * lengths / scale  # (E, rank)
        moved = derivatives - derivatives.mean(axis=1, keepdims=True)
        self._derivatives = moved @ (axes[:, kept] / lengths)  # along each axis, (M, rank)

    def split(self, positive: Ints, negative: Ints) -> tuple[Array, float]:
        """The derivatives (M,) along the direction from the negative to the positive examples, and its accuracy."""
        held = max(1, round(len(positive) * HELD_OUT))
        seen = np.concatenate([positive[held:], negative[held:]])
        labels = np.repeat([1.0, -1.0], len(seen) // 2)
        weights, offset = separated(self._examples[seen], labels)
        margins = [
            sign * (self._examples[part[:held]] @ weights + offset) for sign, part in ((1, positive), (-1, negative))
        ]
        length = max(float(np.linalg.norm(weights)), np.finfo(float).tiny)
        return self._derivatives @ (weights / length), float((np.concatenate(margins) > 0).mean())


def separated(examples: Array, labels: Array) -> tuple[Array, float]:
    """Logistic regression: weights (D,) and offset that tell examples (E, D) with the labels 1 and -1 apart."""
    from scipy.optimize import minimize  # takes time and memory to be imported
    from scipy.special import expit

    def loss(parameters: Array) -> tuple[float, Array]:
        weights, offset = parameters[:-1], parameters[-1]
        margins = labels * (examples @ weights + offset)
        slopes = -labels * expit(-margins) / len(labels)
        value = np.logaddexp(0, -margins).mean() + WEIGHT / 2 * weights @ weights
        return float(value), np.append(examples.T @ slopes + WEIGHT * weights, slopes.sum())

    found = minimize(
        loss, np.zeros(examples.shape[1] + 1), jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "ftol": 1e-14}
    )
    return found.x[:-1], float(found.x[-1])


def welch(one: Array, other: Array) -> float:
    """The p value of Welch's two-sided t-test that two samples, (S,) each, have the same mean."""
    from scipy.special import stdtr  # takes time and memory to be imported

    errors = [float(sample.var(ddof=1)) / len(sample) for sample in (one, other)]
    difference = float(one.mean() - other.mean())
    if not sum(errors):
        return float(difference == 0)
    freedom = sum(errors) ** 2 / sum(
        error**2 / (len(sample) - 1) for error, sample in zip(errors, (one, other), strict=True)
    )
    return float(2 * stdtr(freedom, -abs(difference) / np.sqrt(sum(errors))))
