"""What the four numbers of a box are."""

import numpy as np
import numpy.typing as npt

from service.models.manifest import Detection

COORDINATES = 4  # of a box
SIDES = ("left", "upper", "right", "lower")
_CORNERS = {
    "corners": np.eye(4, dtype=np.float32),
    "rows_first": np.eye(4, dtype=np.float32)[[1, 0, 3, 2]],
    "centre": np.array([[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]], np.float32),
}


def corners_of(detection: Detection) -> npt.NDArray[np.float32]:
    """The matrix (4, 4) that makes of the numbers of a box its sides, in the order of `SIDES`: ``boxes @ matrix``."""
    return _CORNERS[detection.format]
