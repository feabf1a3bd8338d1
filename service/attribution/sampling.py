"""Means over random samples: as many as a map needs, with an estimate of the error that is left."""

from collections.abc import Callable, Generator, Iterable
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

Array = npt.NDArray[np.float64]
Sums = tuple[Array, ...]
Notes = dict[str, float]

Seed = Annotated[int, Field(ge=0, lt=2**53, description="Of the random numbers: the same seed gives the same map.")]
Tolerance = Annotated[
    float | None,
    Field(
        gt=0,
        lt=1,
        description=(
            "Stop once the estimated error of the map, relative to the map, is no larger: 0.1 for a tenth. "
            "What is asked for otherwise is then the most that is computed. Default: do not stop before."
        ),
    ),
]


def averaged(
    chunks: Iterable[tuple[int, Sums]], estimate: Callable[[int, Sums], Array], most: int, tolerance: float | None
) -> Generator[float, None, tuple[Array, Notes]]:
    """An estimate from sums over samples, as soon as it is good enough.

    The samples are independent, so each half of them gives an estimate of its own. Half the distance of the two is the
    standard error of the estimate from all, whatever is estimated (Efron 1982, "The Jackknife, the Bootstrap and Other
    Resampling Plans", chapter 2, with two groups).

    Args:
        chunks: The number of samples in each chunk, and the sums over them.
        estimate: What a number of samples and the sums over them tell.
        most: The number of samples in all chunks.
        tolerance: The relative error at which it ends; None for the end of the chunks.

    Returns:
        The estimate, and notes: the number of ``samples`` and the ``relative_error``, unless there was but one chunk.
    """
    numbers, halves = [0, 0], [(), ()]  # type: tuple[list[int], list[Sums]]
    progress, error = 0.0, np.inf
    for k, (number, sums) in enumerate(chunks):
        numbers[k % 2] += number
        halves[k % 2] = _added(halves[k % 2], sums)
        needed = float(most)
        if tolerance is not None and k > 0:
            error = _relative_error(numbers, halves, estimate)
            needed = min(needed, sum(numbers) * (error / tolerance) ** 2)
        progress = max(progress, min(1.0, sum(numbers) / max(needed, 1)))
        yield progress
        if tolerance is not None and error <= tolerance:
            break
    notes = {"samples": float(sum(numbers))}
    if all(numbers):
        notes["relative_error"] = _relative_error(numbers, halves, estimate)
    return estimate(sum(numbers), _added(*halves)), notes


def mean(number: int, sums: Sums) -> Array:
    """The mean over samples: the estimate of those methods that ask for no more."""
    return sums[0] / number


def relative(error: Array, values: Array) -> float:
    """The norm of the error as a share of that of the values: 0 if there is no error."""
    size = float(np.linalg.norm(error))
    return size / max(float(np.linalg.norm(values)), np.finfo(np.float64).tiny) if size else 0.0


def _relative_error(numbers: list[int], halves: list[Sums], estimate: Callable[[int, Sums], Array]) -> float:
    one, other = (estimate(number, sums) for number, sums in zip(numbers, halves, strict=True))
    share = np.sqrt(numbers[0] * numbers[1]) / sum(numbers)  # a half, if both have as many
    return relative(share * (one - other), estimate(sum(numbers), _added(*halves)))


def _added(one: Sums, other: Sums) -> Sums:
    return tuple(a + b for a, b in zip(one, other, strict=True)) if one and other else one or other
