"""Targets: what is explained, as people write it, and as weights of a value of the network.

A target is a sum of terms, ``[number *] atom``, with these atoms:

- ``class:285``: the score of a class.
- ``probability:285`` and ``log_odds:285``: its probability, and the logarithm of its odds against all others.
- ``output:NAME[0, 3]``: an element of an output, or with ``:`` or ``2:5`` the mean of several. The axis of images is
  left out.
- ``layer:NAME[17]``: the mean of a channel of a layer, or of what else is selected of it.
- ``region:15``: the score of a class of a segmentation, the mean over the region that is sent along, or over the places
  where the network sees the class.
- ``detection:0``: the score of the most likely box of a detector, or with another number of the next ones, and
  ``detection:0.left`` (``right``, ``upper``, ``lower``) one of its sides.
- ``similarity``: the cosine of the angle between the vector of this picture and that of another one that is sent along.

All terms of a target are of one value of the network: ``class:285 - class:282`` is a target, and the sum of a class and
a channel is none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.attribution import Floats
from service.attribution.method import Ints
from service.errors import InvalidParameter
from service.networks.network import Network
from service.networks.questions import Quantity, Target
from service.saliency.detections import detect, side_of

MOST_TERMS = 100
MOST_VALUES = 2**24  # of a layer
_TERM = re.compile(
    r"\s*(?P<sign>[+-])?\s*(?:(?P<weight>\d+(?:\.\d*)?|\.\d+)\s*\*\s*)?"
    r"(?:(?P<kind>class|probability|log_odds|region):(?P<id>\d{1,9})|(?P<place>output|layer):(?P<name>[^\[\]]+)"
    r"\[(?P<index>[^\[\]]*)\]|detection:(?P<rank>\d{1,5})(?:\.(?P<side>left|right|upper|lower))?|(?P<similar>similarity))\s*"
)
_SELECTOR = re.compile(r"\s*(?:(\d{1,9})|(\d{0,9})\s*:\s*(\d{0,9}))\s*")
FORM = (
    "terms like class:285, probability:285, log_odds:285, output:NAME[0,3], layer:NAME[17], region:15, detection:0, "
    "detection:0.left or similarity"
)

Selector = int | slice


@dataclass(frozen=True)
class Atom:
    """One thing that a target is made of. name: of an output or layer. index: what is selected, or a class."""

    kind: str
    name: str = ""
    index: tuple[Selector, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A target as it was written: atoms with their weights."""

    text: str
    terms: tuple[tuple[float, Atom], ...]

    @property
    def kinds(self) -> set[str]:
        """The kinds of the atoms."""
        return {atom.kind for _, atom in self.terms}


def parse(text: str) -> Wanted:
    """Read a target. Raises `ValueError` with what was expected if it is none."""
    terms: list[tuple[float, Atom]] = []
    place = 0
    while place < len(text) or not terms:
        found = _TERM.match(text, place)
        if found is None or (terms and not found["sign"]) or len(terms) == MOST_TERMS:
            raise ValueError(f"a target is a sum of at most {MOST_TERMS} {FORM}; this is none: {text[place:][:50]!r}")
        terms.append((float(found["weight"] or 1) * (-1 if found["sign"] == "-" else 1), _atom(found)))
        place = found.end()
    wanted = Wanted(text, tuple(terms))
    if len({(atom.kind if atom.kind not in ("output", "layer") else atom.name) for _, atom in terms}) > 1:
        raise ValueError("the terms of a target must be of one kind, and of one output or layer")
    if len(terms) > 1 and wanted.kinds & {"log_odds", "similarity"}:
        raise ValueError("log_odds and similarity stand alone")
    return wanted


def _atom(found: re.Match[str]) -> Atom:
    if found["kind"]:
        return Atom(found["kind"], index=(int(found["id"]),))
    if found["similar"]:
        return Atom("similarity")
    if found["rank"]:
        return Atom("side" if found["side"] else "detection", found["side"] or "", (int(found["rank"]),))
    return Atom(found["place"], found["name"].strip(), tuple(_selectors(found["index"])))


def _selectors(text: str) -> list[Selector]:
    selectors: list[Selector] = []
    for part in text.split(","):
        found = _SELECTOR.fullmatch(part)
        if found is None:
            raise ValueError(f"{part!r} selects nothing: an index is a number, : for all, or a range like 2:5")
        first, last = found[2], found[3]
        selectors.append(
            int(found[1]) if found[1] else slice(int(first) if first else None, int(last) if last else None)
        )
    return selectors


@dataclass(frozen=True)
class Beside:
    """What is sent along with a picture. region: where (h, w) of the picture. other: pixels to compare with."""

    region: Floats | None = None
    other: Floats | None = None


NOTHING = Beside()


def resolve(network: Network, image: Floats, wanted: Wanted, beside: Beside) -> Target:
    """The weights of a target for an image (3, H, W).

    Raises `InvalidParameter` if the network has no such value, or if something must be sent along.
    """
    atom = wanted.terms[0][1]
    if atom.kind == "similarity":
        return _similar(network, beside)
    if atom.kind == "region":
        return _of_region(network, image, wanted, beside)
    if atom.kind in ("detection", "side"):
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
        elif atom.kind in ("detection", "side") and network.model.manifest.detection is None:
            raise InvalidParameter(f"{network.model.name} is no detector; detection is for networks that tell boxes")


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
            f"{name} has {values:,} values for a picture of this size, more than the {MOST_VALUES:,} that are weighted; "
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
    value = outputs[detection.scores if kind == "detection" else detection.boxes][0]
    weights = np.zeros(value.shape, np.float32)
    for weight, atom in wanted.terms:
        (rank,) = atom.index
        if not isinstance(rank, int) or rank >= len(found):
            raise InvalidParameter(f"the network detects {len(found)} objects here; there is no detection:{rank}")
        if kind == "detection":
            weights[found[rank].row, found[rank].class_id] += np.float32(weight)
        else:
            weights[found[rank].row] += np.float32(weight) * side_of(detection, atom.name)
    return Target(Quantity(detection.scores if kind == "detection" else detection.boxes), weights)


def seen(maps: Floats) -> Ints:
    """The class of each place (h, w) by maps of scores (classes, h, w); −1 where a single class is unlikely."""
    found: Ints = np.where(maps[0] > 0, 0, -1) if len(maps) == 1 else maps.argmax(axis=0)
    return found


def _cells(region: Floats, size: tuple[int, ...]) -> Floats:
    """The share of a region (H, W) in each cell of a grid (h, w)."""
    rows, columns = (np.arange(length) * cells // length for length, cells in zip(region.shape, size, strict=True))
    shares = np.zeros(size)
    np.add.at(shares, (rows[:, None], columns), region)
    found: Floats = (shares * np.prod(size) / region.size).astype(np.float32)
    return found


def _similar(network: Network, beside: Beside) -> Target:
    if beside.other is None:
        raise InvalidParameter("similarity needs a second picture, in the field 'other'")
    manifest = network.model.manifest
    vector = network.outputs(beside.other[None])[manifest.logits][0]
    return Target(Quantity(manifest.logits, "cosine"), vector.astype(np.float32))
