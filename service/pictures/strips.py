"""Large pictures in parts, so that what is computed of them takes little memory."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
STRIP_VALUES = 2**20


def strips(values: Numbers) -> Iterator[Numbers]:
    """The rows of a picture in parts."""
    rows = max(1, STRIP_VALUES // max(1, values[:1].size))
    for top in range(0, len(values), rows):
        yield values[top : top + rows]


def by_strips(values: Numbers, function: Callable[[Numbers], Numbers]) -> Bytes:
    """What the function makes of a picture, as bytes, if it takes one pixel at a time."""
    return np.concatenate([function(part).astype(np.uint8, copy=False) for part in strips(values)])
