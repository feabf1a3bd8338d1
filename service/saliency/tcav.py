"""Whether the score of a class grows in the direction of a concept that pictures show (TCAV)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.attribution import Floats
from service.attribution.method import Stepwise
from service.attribution.tcav import Array, Tcav, tcav
from service.errors import InputError, InvalidParameter
from service.networks.network import Network
from service.networks.questions import PREDICTED
from service.pictures.turns import Turn
from service.runtime.demand import current
from service.saliency.intake import Intake, read_and_fit_one
from service.telemetry.timing import Stopwatch

Pool = Literal["mean", "none"]

FEWEST_CONCEPT, FEWEST_RANDOM = 3, 6  # pictures
MAX_VALUES = 2**24  # activations that are compared
STRIP = 2**16  # values of each picture that are multiplied at once
SPLITS_OF_A_RUN = 2  # whose directions are found in the time of a run


@dataclass(frozen=True)
class Examples:
    """The bytes of the pictures: of the concept, random ones, and of the class."""

    concept: Sequence[bytes]
    random: Sequence[bytes]
    photographs: Sequence[bytes]


@dataclass(frozen=True)
class Question:
    """What is tested, and how.

    Attributes:
        layer: The name of the layer.
        class_id: The class; that predicted for the first photograph if None.
        pool: Whether activations are averaged over places.
        splits: The number of random splits.
        seed: Of the random numbers.
    """

    layer: str
    class_id: int | None
    pool: Pool
    splits: int
    seed: int


@dataclass(frozen=True)
class Concept:
    """What the test of a concept gave for a class. class_scores: the score of each photograph, (M,)."""

    tested: Tcav
    class_id: int
    class_scores: Floats


def check_examples(examples: Examples) -> None:
    """Raise `InvalidParameter` if there are too few pictures to tell anything."""
    for name, sent, fewest in (
        ("concept", examples.concept, FEWEST_CONCEPT),
        ("random", examples.random, FEWEST_RANDOM),
    ):
        if len(sent) < fewest:
            raise InvalidParameter(
                f"a test needs at least {fewest} pictures in the form field {name!r}, {len(sent)} were sent; "
                "twenty of each give results that hold"
            )


def try_concept(network: Network, examples: Examples, asked: Question, how: Intake, watch: Stopwatch) -> Concept:
    """Test a concept; pictures are decoded one after the other, and only their activations are kept.

    Raises `InvalidParameter` if there are too many activations, or if they are of different sizes and not pooled, and
    an `InputError` that names the picture if one cannot be read.
    """
    layer, table = asked.layer, _Table(asked.layer)
    for name, files in (("concept", examples.concept), ("random", examples.random)):
        for image in _images(network, name, files, how, watch):
            with watch.stage("run"):
                table.add(_pooled(network.activations(image, [layer])[0], asked.pool, "mean"))
    gradients, scores, class_id = _Table(layer), [], PREDICTED if asked.class_id is None else asked.class_id
    for image in _images(network, "image", examples.photographs, how, watch):
        with watch.stage("run"):
            at = network.value_and_grad(image, np.array([class_id]), layer=layer)
        class_id = int(at.class_ids[0])
        gradients.add(_pooled(at.gradients, asked.pool, "sum"))
        scores.append(at.scores[0])
    with watch.stage("test"):
        inner, derivatives = table.times(table), gradients.times(table)
        steps = Stepwise(tcav(inner, derivatives, len(examples.concept), asked.splits, asked.seed))
        for _ in steps:
            current().check()
    return Concept(steps.result, class_id, np.array(scores))


def _images(network: Network, name: str, files: Sequence[bytes], how: Intake, watch: Stopwatch) -> Iterator[Floats]:
    """What the network sees of each of the pictures in a form field, (1, 3, H, W)."""
    for i, data in enumerate(files):
        try:
            with Turn(current().check) as turn:
                _, fitted = read_and_fit_one(network, data, how, watch, turn)
        except InputError as error:
            raise type(error)(f"picture {i + 1} in the form field {name!r}: {error}") from error
        yield fitted.pixels[None]


def _pooled(values: Floats, pool: Pool, over: Literal["mean", "sum"]) -> Floats:
    """Values (1, C, h, w) of all places, or pooled over them.

    A step of the mean activation in a direction is that step at every place, so gradients are summed up.
    """
    pooled: Floats = values[0]
    if pool == "mean":
        pooled = pooled.mean(axis=(1, 2)) if over == "mean" else pooled.sum(axis=(1, 2))
    return pooled


class _Table:
    """Activations or gradients of one layer, a row for each picture."""

    def __init__(self, layer: str) -> None:
        self._layer = layer
        self._rows: list[Floats] = []

    def add(self, values: Floats) -> None:
        """Take one more picture."""
        if self._rows and self._rows[0].size != values.size:
            raise InvalidParameter("the pictures have different sizes; use resize=squash or crop, or pool=mean")
        self._rows.append(values.ravel())
        if len(self._rows) * values.size > MAX_VALUES:
            raise InvalidParameter(
                f"{self._layer} has more than {MAX_VALUES:,} activations for these pictures; use pool=mean, "
                "send fewer pictures, or name a later layer"
            )

    def times(self, other: "_Table") -> Array:
        """The inner products of all rows with those of another table, in float64."""
        if self._rows[0].size != other._rows[0].size:
            raise InvalidParameter("the pictures have different sizes; use resize=squash or crop, or pool=mean")
        total = np.zeros((len(self._rows), len(other._rows)))
        for i in range(0, self._rows[0].size, STRIP):
            one, two = (np.stack([row[i : i + STRIP] for row in t._rows]).astype(np.float64) for t in (self, other))
            total += one @ two.T
        return total
