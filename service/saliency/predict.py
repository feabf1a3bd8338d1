"""What a network says of a photograph, in the way of its task."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.networks.network import Network
from service.pictures import images
from service.pictures.images import Floats
from service.saliency.detections import Detected, detect
from service.saliency.targets import seen

NOWHERE = 255  # in a mask: places of no class


@dataclass(frozen=True)
class Predicted:
    """What a network says of one picture.

    Attributes:
        values: The probabilities (classes,), numbers of a regression, or the vector of an embedding.
        mask: The class of each place (h, w) for a segmentation, −1 for none; None for other tasks.
        boxes: The objects that a detector finds; None for other tasks.
    """

    values: Floats
    mask: npt.NDArray[np.int64] | None = None
    boxes: list[Detected] | None = None


def predict(network: Network, image: Floats) -> Predicted:
    """What the network says of an image (3, H, W) in [0, 1]."""
    outputs = network.outputs(image[None])
    manifest = network.model.manifest
    values = network.probabilities(outputs[manifest.logits])[0]
    if manifest.detection is not None:
        return Predicted(values, boxes=detect(network, outputs, image.shape[1:]))
    if manifest.places is None:
        return Predicted(values)
    return Predicted(values, seen(outputs[manifest.places][0]))


def shares(mask: npt.NDArray[np.int64], classes: int) -> Floats:
    """The share of the picture that each class covers, (classes,)."""
    counts = np.bincount(mask[mask >= 0], minlength=classes)
    return (counts / mask.size).astype(np.float32)


def run_lengths(mask: npt.NDArray[np.int64], class_id: int) -> list[int]:
    """The lengths of the runs of places that are not, are, are not … of a class, column by column (as in COCO)."""
    flat = (mask == class_id).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *edges, flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


def mask_picture(mask: npt.NDArray[np.int64]) -> bytes:
    """A grey PNG whose levels are class ids, 255 for none. Classes from 255 on cannot be told apart from none."""
    return images.encode_grey(np.where((mask < 0) | (mask > NOWHERE), NOWHERE, mask).astype(np.uint8))
