"""Several pictures that are made at the same time, on one sheet. An image is float64 (3, H, W), RGB, in [0, 1]."""

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from service.synthesis.parametrization import Array, Parametrization
from service.synthesis.transforms import Drawn, Transform


@dataclass(frozen=True)
class Sheet:
    """Pictures row by row in a grid that is about as many wide as high; what is left of the last row is black.

    Args:
        number: How many pictures.
        size: Height and width of each, in pixels.
    """

    number: int
    size: tuple[int, int]

    @property
    def columns(self) -> int:
        """Pictures in a row."""
        return ceil(sqrt(self.number))

    @property
    def rows(self) -> int:
        """Rows of pictures."""
        return ceil(self.number / self.columns)

    def split(self, sheet: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The pictures (N, 3, H, W) of a sheet (3, rows · H, columns · W)."""
        height, width = self.size
        cells = sheet.reshape(3, self.rows, height, self.columns, width).transpose(1, 3, 0, 2, 4)
        return np.ascontiguousarray(cells.reshape(-1, 3, height, width)[: self.number])

    def join(self, pictures: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The sheet of pictures: the adjoint and, but for what is left, the inverse of `split`."""
        height, width = self.size
        cells = np.zeros((self.rows * self.columns, 3, height, width), pictures.dtype)
        cells[: self.number] = pictures
        parts = cells.reshape(self.rows, self.columns, 3, height, width).transpose(2, 0, 3, 1, 4)
        return np.ascontiguousarray(parts.reshape(3, self.rows * height, self.columns * width))


class Several:
    """A parametrization of each picture of a sheet by numbers of its own, stacked.

    Args:
        one: The parametrization of one picture.
        sheet: Where the pictures are.
    """

    def __init__(self, one: Parametrization, sheet: Sheet) -> None:
        self._one = one
        self._sheet = sheet

    def start(self, rng: np.random.Generator) -> Array:
        """A start for each picture."""
        return np.stack([self._one.start(rng) for _ in range(self._sheet.number)])

    def image(self, z: Array) -> Array:
        """The sheet."""
        return self._sheet.join(np.stack([self._one.image(each) for each in z]))

    def pull_back(self, z: Array, image: Array, d_image: Array) -> Array:
        """Pull the gradient of each picture back."""
        parts = zip(z, self._sheet.split(image), self._sheet.split(d_image), strict=True)
        return np.stack([self._one.pull_back(*part) for part in parts])

    def constrain(self, z: Array, step: int) -> Array:
        """Constrain each picture."""
        return np.stack([self._one.constrain(each, step) for each in z])


@dataclass(frozen=True)
class Each:
    """A transform drawn anew for each picture of a sheet."""

    transform: Transform
    sheet: Sheet

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw a map for each picture."""
        drawn, sheet = [self.transform.draw(rng) for _ in range(self.sheet.number)], self.sheet

        def apply(image: Array) -> Array:
            return sheet.join(np.stack([map_.apply(x) for map_, x in zip(drawn, sheet.split(image), strict=True)]))

        def adjoint(d_image: Array) -> Array:
            return sheet.join(np.stack([map_.adjoint(d) for map_, d in zip(drawn, sheet.split(d_image), strict=True)]))

        return Drawn(apply, adjoint)
