"""What a detector tells: boxes, those of the same object taken together."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.attribution import Floats
from service.models.corners import corners_of
from service.models.manifest import Detection
from service.networks.network import Network

LEAST = 0.3  # probability of a box that is told
OVERLAP = 0.5  # intersection over union from which on the less likely of two boxes of a class is left out
MOST = 100  # boxes


@dataclass(frozen=True)
class Detected:
    """A box. row: its place among all of the graph. box: left, upper, right, lower as shares of what is seen."""

    row: int
    class_id: int
    probability: float
    box: tuple[float, float, float, float]


def detect(network: Network, outputs: Mapping[str, Floats], size: tuple[int, ...]) -> list[Detected]:
    """The boxes of one image of the size (height, width), the most likely first, at most `MOST`.

    Of boxes of a class that overlap only the most likely remains.
    """
    manifest = network.model.manifest
    assert manifest.detection is not None
    scores = outputs[manifest.detection.scores][0]
    probabilities = network.probabilities(scores)[:, : network.classes]
    corners = _corners(manifest.detection, outputs[manifest.detection.boxes][0], size)
    best, classes = probabilities.max(axis=1), probabilities.argmax(axis=1)
    kept: list[Detected] = []
    for row in np.argsort(-best, kind="stable"):
        if best[row] < LEAST or len(kept) == MOST:
            break
        rivals = np.array([one.box for one in kept if one.class_id == classes[row]])
        if len(rivals) == 0 or _overlaps(corners[row], rivals).max() < OVERLAP:
            left, upper, right, lower = (float(edge) for edge in corners[row])
            kept.append(Detected(int(row), int(classes[row]), float(best[row]), (left, upper, right, lower)))
    return kept


def _corners(detection: Detection, boxes: Floats, size: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Left, upper, right and lower (boxes, 4) as shares of the picture of the size (height, width)."""
    corners = (boxes @ corners_of(detection)).astype(np.float64)
    if detection.unit == "pixel":
        corners /= np.array([size[1], size[0], size[1], size[0]])
    return corners


def _overlaps(box: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The intersection over the union of a box with each of others, (n,)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = (high - low).clip(min=0).prod(axis=1)
    areas = [(each[..., 2:] - each[..., :2]).clip(min=0).prod(axis=-1) for each in (box, others)]
    union: npt.NDArray[np.float64] = common / np.maximum(areas[0] + areas[1] - common, 1e-12)
    return union
