"""Targets: what is explained, as weights of a value of the network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.attribution import Floats
from service.attribution.method import Ints
from service.errors import InvalidParameter
from service.models.corners import SIDES, corners_of
from service.models.manifest import Detection
from service.networks.network import Network
from service.networks.questions import Quantity, Target
from service.saliency.detections import detect
from service.saliency.grammar import Atom, Selector, Wanted

Region = npt.NDArray[np.bool_]
MOST_VALUES = 2**24  # of a layer
_OF_DETECTORS = ("detection", "side", "match")


@dataclass(frozen=True)
class Beside:
    """What is sent along with a picture.

    Attributes:
        region: Which of the pixels that the network sees, (H, W).
        other: What it sees of another picture to compare with, (3, H, W).
    """

    region: Region | None = None
    other: Floats | None = None


NOTHING = Beside()


def resolve(network: Network, image: Floats, wanted: Wanted, beside: Beside) -> Target:
    """The weights of a target for an image (3, H, W).

    Raises `InvalidParameter` if the network has no such value, or if something must be sent along.
    """
    atom = wanted.terms[0][1]
    if atom.kind == "similarity":
        return _similar(network, atom, beside)
    if atom.kind == "region":
        return _of_region(network, image, wanted, beside)
    if atom.kind in _OF_DETECTORS:
        return _of_detections(network, image, wanted)
    quantity, value = _value(network, image, atom)
    weights = np.zeros(value.shape, np.float32)
    for weight, each in wanted.terms:
        selected = _select(weights, each.index, each.name or "the scores")
        selected += np.float32(weight / max(selected.size, 1))
    return Target(quantity, weights)


def check_target(network: Network, wanted: Wanted) -> None:
    """Raise `InvalidParameter` if the network has nothing of the name that the target names."""
    for _, atom in wanted.terms:
        if atom.kind == "layer":
            network.layer(atom.name)
        elif atom.kind == "output" and atom.name not in network.facts.outputs:
            raise InvalidParameter(
                f"{network.model.name} has no output {atom.name!r}; it has: {', '.join(network.facts.outputs)}"
            )
        elif atom.kind in ("class", "probability", "log_odds", "region"):
            _check_class(network, atom)
        elif atom.kind in _OF_DETECTORS and network.model.manifest.detection is None:
            raise InvalidParameter(f"{network.model.name} is no detector; {atom.kind} is for networks that tell boxes")


def _check_class(network: Network, atom: Atom) -> None:
    (class_id,) = atom.index
    if not isinstance(class_id, int) or class_id >= network.classes:
        raise InvalidParameter(f"{atom.kind} must be from 0 to {network.classes - 1} for {network.model.name}")
    manifest = network.model.manifest
    if atom.kind == "region" and manifest.places is None:
        raise InvalidParameter(
            f"{manifest.name} is no segmentation; region is for networks that tell the class of places"
        )
    if atom.kind in ("probability", "log_odds") and manifest.scores == "none":
        raise InvalidParameter(f"the scores of {manifest.name} are no probabilities; use class:{class_id}")


def _value(network: Network, image: Floats, atom: Atom) -> tuple[Quantity, Floats]:
    """What is weighted, and its value at the image."""
    if atom.kind == "layer":
        _check_number(network, atom.name, image)
        (values,) = network.activations(image[None], [atom.name])
        return Quantity(atom.name), values[0]
    outputs = network.outputs(image[None])
    if atom.kind == "output":
        return Quantity(atom.name), outputs[atom.name][0]
    logits = network.model.manifest.logits
    transform = "none" if atom.kind == "class" else atom.kind
    assert transform in ("none", "probability", "log_odds")
    return Quantity(logits, transform), outputs[logits][0]  # type: ignore[arg-type]


def _check_number(network: Network, name: str, image: Floats) -> None:
    """Raise `InvalidParameter` for a layer that has too many values at an image of this size (3, H, W)."""
    layer = network.layer(name)
    height, width = layer.size or (1, 1)
    values = layer.channels * height * width * image[0].size // (network.size[0] * network.size[1])
    if values > MOST_VALUES:
        raise InvalidParameter(
            f"{name} has {values:,} values for a picture of this size, and at most {MOST_VALUES:,} are weighted; "
            "use resize=squash or crop, or a deeper layer"
        )


def _select(weights: Floats, index: Sequence[Selector], name: str) -> Floats:
    """What an index selects, as a view."""
    described = " x ".join(map(str, weights.shape)) or "1"
    if len(index) > weights.ndim:
        raise InvalidParameter(f"{name} has {weights.ndim} axes beside that of images ({described}), not {len(index)}")
    try:
        found: Floats = weights[(*index, ...)]
    except IndexError:
        raise InvalidParameter(f"the index is beyond the end of {name}, which is {described}") from None
    if not found.size:
        raise InvalidParameter(f"the index selects nothing of {name}, which is {described}")
    return found


def _of_region(network: Network, image: Floats, wanted: Wanted, beside: Beside) -> Target:
    places = network.model.manifest.places
    assert places is not None
    maps = network.outputs(image[None])[places][0]
    weights = np.zeros(maps.shape, np.float32)
    for weight, atom in wanted.terms:
        (class_id,) = atom.index
        region = _cells(beside.region, maps.shape[1:]) if beside.region is not None else seen(maps) == class_id
        if not region.any():
            what = "the region is empty" if beside.region is not None else "the network sees it nowhere"
            raise InvalidParameter(f"there is no place of {atom.kind}:{class_id}: {what}; send a box or a mask")
        weights[class_id] += np.float32(weight) * region.astype(np.float32) / region.sum()
    return Target(Quantity(places), weights)


def _of_detections(network: Network, image: Floats, wanted: Wanted) -> Target:
    """Scores or sides of boxes. They are found before any are suppressed, so that the choice needs no gradient."""
    detection = network.model.manifest.detection
    assert detection is not None
    outputs = network.outputs(image[None])
    found = detect(network, outputs, image.shape[1:])
    kind = wanted.terms[0][1].kind
    name = detection.boxes if kind == "side" else detection.scores
    value = outputs[name][0]
    weights = np.zeros(value.shape, np.float32)
    for weight, atom in wanted.terms:
        (rank,) = atom.index
        if not isinstance(rank, int) or rank >= len(found):
            raise InvalidParameter(f"the network detects {len(found)} objects here; there is no {kind}:{rank}")
        row = found[rank].row
        if kind == "match":
            return _alike(network, detection, value[row], outputs[detection.boxes][0, row])
        if kind == "detection":
            weights[row, found[rank].class_id] += np.float32(weight)
        else:
            weights[row] += np.float32(weight) * corners_of(detection)[:, SIDES.index(atom.name)]
    return Target(Quantity(name), weights)


def _alike(network: Network, detection: Detection, scores: Floats, box: Floats) -> Target:
    """What is like a detection of these scores (classes,) and this box (4,)."""
    probabilities = network.probabilities(scores[None])[0, : network.classes]
    weights = np.concatenate([box @ corners_of(detection), probabilities]).astype(np.float32)
    return Target(Quantity(detection.scores, "match", detection.boxes), weights)


def seen(maps: Floats) -> Ints:
    """The class of each place (h, w) by maps of scores (classes, h, w); −1 where a single class is unlikely."""
    found: Ints = np.where(maps[0] > 0, 0, -1) if len(maps) == 1 else maps.argmax(axis=0)
    return found


def _cells(region: Region, size: tuple[int, ...]) -> Floats:
    """The share of a region (H, W) in each cell of a grid (h, w)."""
    rows, columns = (np.arange(length) * cells // length for length, cells in zip(region.shape, size, strict=True))
    shares = np.zeros(size)
    np.add.at(shares, (rows[:, None], columns), region)
    found: Floats = (shares * np.prod(size) / region.size).astype(np.float32)
    return found


def _similar(network: Network, atom: Atom, beside: Beside) -> Target:
    name = network.model.manifest.logits
    if not atom.vector and beside.other is None:
        raise InvalidParameter("similarity needs a second picture, in the field 'other', or in JSON a vector")
    if beside.other is not None:
        vector = network.outputs(beside.other[None])[name][0]
    else:
        vector = np.array(atom.vector)
    if len(vector) != network.classes:
        raise InvalidParameter(f"the vector of {network.model.name} has {network.classes} numbers, not {len(vector)}")
    return Target(Quantity(name, "cosine"), vector.astype(np.float32))
