"""Non-negative matrix factorization: activations as sums of few directions, each with a strength at every place."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MAX_ITERATIONS = 100
ENOUGH = 1e-5  # of the squared norm: an iteration that gains less is the last


@dataclass(frozen=True)
class Factors:
    """Values (P, C) as ``strengths @ directions``.

    Attributes:
        strengths: How much of each factor there is at each place, (P, K), none negative.
        directions: The channels of each factor, (K, C), none negative, of length 1; 0 if there is nothing to explain.
        relative_error: The norm of what is left over, as a share of the norm of the values; 0 if all values are 0.
    """

    strengths: Array
    directions: Array
    relative_error: float


def factorize(values: Array, number: int) -> Generator[float, None, Factors]:
    """Find so many factors of non-negative values (P, C); yields the fraction that is done.

    Hierarchical alternating least squares (Cichocki & Phan 2009, "Fast Local Algorithms for Large Scale Nonnegative
    Matrix and Tensor Factorizations", algorithm 2) from a start without random numbers, see `_start`. The same values
    give the same factors. number: at most min(P, C).
    """
    square = float(np.vdot(values, values))
    strengths, directions = _start(values, number)
    error = square
    for i in range(MAX_ITERATIONS):
        _improve(strengths, values @ directions.T, directions @ directions.T)
        inner, products = strengths.T @ strengths, strengths.T @ values
        _improve(directions.T, products.T, inner)
        fitted = 2 * np.vdot(products, directions) - np.vdot(inner, directions @ directions.T)
        before, error = error, square - float(fitted)
        if before - error <= ENOUGH * square:
            break
        yield (i + 1) / MAX_ITERATIONS
    lengths = np.linalg.norm(directions, axis=1)
    directions = np.stack([_unit(direction) for direction in directions])
    return Factors(strengths * lengths, directions, float(np.sqrt(max(error, 0) / square)) if square else 0.0)


def _improve(rows: Array, products: Array, inner: Array) -> None:
    """Move each column of ``rows`` in place to its least squares solution, others fixed, cut off at 0."""
    for k in range(rows.shape[1]):
        if inner[k, k] > 0:
            rows[:, k] += (products[:, k] - rows @ inner[:, k]) / inner[k, k]
            np.maximum(rows[:, k], 0, out=rows[:, k])


def _start(values: Array, number: int) -> tuple[Array, Array]:
    """Strengths and directions from singular vectors: of each pair the signs that weigh more, zeros filled up.

    Boutsidis & Gallopoulos 2008, "SVD based initialization: A head start for nonnegative matrix factorization",
    section 3, with the mean for zeros (NNDSVDa).
    """
    left, sizes, right = _leading(values, number)
    strengths, directions = np.empty((len(values), number)), np.empty((number, values.shape[1]))
    for k in range(number):
        halves = [((sign * left[:, k]).clip(min=0), (sign * right[k]).clip(min=0)) for sign in (1, -1)]
        weights = [float(np.linalg.norm(u) * np.linalg.norm(v)) for u, v in halves]
        (u, v), weight = halves[int(np.argmax(weights))], max(weights)
        scale = np.sqrt(sizes[k] * weight)
        strengths[:, k], directions[k] = _unit(u) * scale, _unit(v) * scale
    for part in (strengths, directions):
        part[part == 0] = values.mean()
    return strengths, directions


def _unit(vector: Array) -> Array:
    """The vector at length 1, or 0 if it is 0."""
    unit: Array = vector / max(float(np.linalg.norm(vector)), np.finfo(float).tiny)
    return unit


def _leading(values: Array, number: int) -> tuple[Array, Array, Array]:
    """The first singular vectors and values, from the Gram matrix of the shorter side."""
    from scipy.linalg import eigh  # takes time and memory to be imported

    if len(values) < values.shape[1]:
        right, sizes, left = _leading(values.T, number)
        return left.T, sizes, right.T
    n = values.shape[1]
    squares, vectors = eigh(values.T @ values, subset_by_index=(n - number, n - 1))
    right, sizes = vectors[:, ::-1], np.sqrt(squares[::-1].clip(min=0))
    left = np.divide(values @ right, sizes, out=np.zeros((len(values), number)), where=sizes > 0)
    return left, sizes, right.T
