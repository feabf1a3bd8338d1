"""Random transformations of the image, drawn anew at each step, so that no exact position matters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """One linear map. apply: maps an image (3, H, W). adjoint: pulls a gradient back to the image."""

    apply: Callable[[Array], Array]
    adjoint: Callable[[Array], Array]


class Transform(Protocol):
    """A distribution of maps."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw one map."""


@dataclass(frozen=True)
class Jitter:
    """Roll by up to ``pixels`` along each axis; what leaves on one side comes in on the other."""

    pixels: int

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw a shift from −pixels to pixels, both included."""
        oy, ox = (int(n) for n in rng.integers(-self.pixels, self.pixels + 1, 2))
        return Drawn(lambda x: np.roll(x, (oy, ox), (1, 2)), lambda d: np.roll(d, (-oy, -ox), (1, 2)))


@dataclass(frozen=True)
class Wobble:
    """Shift, scale and rotate about the centre in one map, with bilinear sampling; beyond its edge the image is grey.

    Args:
        size: Height and width of the image, in pixels.
        shift: Largest shift in pixels; as in Lucid, a second one of up to half as much is added.
        scale: Smallest and largest factor.
        degrees: Largest rotation to either side.
    """

    size: tuple[int, int]
    shift: int
    scale: tuple[float, float]
    degrees: float

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw one map: a sparse matrix of sampling weights, so that the adjoint is its transpose."""
        weights = self._sampling(rng)
        beyond = 0.5 * (1 - weights.sum(axis=1))

        def apply(x: Array) -> Array:
            mapped: Array = (weights @ x.reshape(3, -1).T + beyond[:, None]).T.reshape(3, *self.size)
            return mapped

        def adjoint(d: Array) -> Array:
            return np.ascontiguousarray((weights.T @ d.reshape(3, -1).T).T).reshape(3, *self.size)

        return Drawn(apply, adjoint)

    def _sampling(self, rng: np.random.Generator) -> "csr_array":
        shift = rng.integers(-self.shift, self.shift + 1, 2) + rng.integers(-self.shift // 2, self.shift // 2 + 1, 2)
        factor, angle = rng.uniform(*self.scale), np.deg2rad(rng.uniform(-self.degrees, self.degrees))
        middle, centre = ((side - 1) / 2 for side in self.size)
        y, x = np.meshgrid(*(np.arange(side) - (side - 1) / 2 for side in self.size), indexing="ij")
        sin, cos = np.sin(angle) / factor, np.cos(angle) / factor
        return bilinear(cos * y - sin * x + middle + shift[0], sin * y + cos * x + centre + shift[1], self.size)


def bilinear(y: Array, x: Array, size: tuple[int, int]) -> "csr_array":
    """The weights, one row for each position, with which an image of ``size`` is sampled at the positions (y, x).

    Each row holds the four neighbours of its position; those beyond the edge have the weight 0 at some valid index.
    """
    from scipy.sparse import csr_array  # takes time and memory to be imported

    height, width = size
    (rows, by_row), (columns, by_column) = _neighbours(y.ravel(), height), _neighbours(x.ravel(), width)
    indices = np.stack([rows[i] * width + columns[j] for i in (0, 1) for j in (0, 1)], axis=1)
    weights = np.stack([by_row[i] * by_column[j] for i in (0, 1) for j in (0, 1)], axis=1)
    starts = np.arange(0, indices.size + 1, 4, dtype=np.int32)
    return csr_array((weights.ravel(), indices.ravel(), starts), shape=(y.size, height * width))


def _neighbours(position: Array, n: int) -> tuple[npt.NDArray[np.int32], Array]:
    """Along one axis, the indices of the elements before and after each position, and their weights: (2, positions)."""
    before = np.floor(position)
    after = position - before
    elements = np.stack([before, before + 1]).astype(np.int32)
    weights = np.stack([1 - after, after]) * ((elements >= 0) & (elements < n))
    return elements.clip(0, n - 1), weights
