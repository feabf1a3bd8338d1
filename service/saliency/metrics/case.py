"""What maps are tested on: a photograph, a network and a class."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import numpy.typing as npt

from service.attribution import Floats
from service.attribution.baselines import baseline
from service.attribution.method import CHUNK
from service.networks.network import Network
from service.saliency.view import View

Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]

CELLS = 9  # along a side of the picture: subsets of pixels would be noise to a network
SHARE = 0.2  # of the cells of a subset
SQUARES_SEED, SUBSETS_SEED = 1, 2  # other ones than that of random maps, which they would resemble
SQUARES = (1 / 8, 1 / 2)  # sides of the squares that are removed, in short sides


@dataclass(frozen=True)
class Amounts:
    """How much metrics compute.

    Attributes:
        points: Points of the deletion and insertion curves.
        stages: Stages of the randomizations of weights.
        perturbations: Perturbed pictures for infidelity and μ-fidelity.
        neighbours: Neighbouring pictures for the sensitivity.
    """

    points: int = 28
    stages: int = 6
    perturbations: int = 100
    neighbours: int = 8


@dataclass(frozen=True)
class Removals:
    """Parts of a picture that were removed, one at a time.

    Attributes:
        parts: Which part it was each time, (n, …).
        falls: By how much the score fell, (n,).
    """

    parts: npt.NDArray[np.int64]
    falls: Array


class Case:
    """A photograph, a network and a class. What does not depend on a map is computed once.

    Args:
        network: The network.
        image: What it sees, (3, H, W) in [0, 1].
        class_id: The class that maps explain.
        other_class_id: The class in contrast, if there is one.
        amounts: How much is computed.
        region: Where the object is, (H, W); None if nobody knows.
    """

    def __init__(
        self,
        network: Network,
        image: Floats,
        class_id: int,
        other_class_id: int | None = None,
        amounts: Amounts | None = None,
        region: Bools | None = None,
    ) -> None:
        self.network = network
        self.image = image
        self.class_id = class_id
        self.other_class_id = other_class_id
        self.amounts = amounts or Amounts()
        self.region = region
        self._view = View(network, other_class_id)

    def scores(self, pictures: Iterable[Floats]) -> Array:
        """The scores (n,) that maps explain."""
        found = [self._view.of(self._view.logits(chunk), self.class_id) for chunk in _chunks(pictures)]
        return np.concatenate(found).astype(np.float64)

    def probabilities(self, pictures: Iterable[Floats]) -> Floats:
        """The probabilities (n,) of the class."""
        return np.concatenate([self._view.probabilities(chunk)[:, self.class_id] for chunk in _chunks(pictures)])

    @cached_property
    def score(self) -> float:
        """The score of the picture."""
        return float(self.scores([self.image])[0])

    @cached_property
    def black_score(self) -> float:
        """The score of a black picture."""
        return float(self.scores([np.zeros_like(self.image)])[0])

    @cached_property
    def squares(self) -> Removals:
        """Squares of random size and place. Parts: their upper and left edges and their sides, (n, 3)."""
        rng, parts = np.random.default_rng(SQUARES_SEED), []
        height, width = self.image.shape[1:]
        for share in rng.uniform(*SQUARES, self.amounts.perturbations):
            side = max(1, round(share * min(height, width)))
            parts.append((rng.integers(height - side + 1), rng.integers(width - side + 1), side))
        return self._removed(np.array(parts), _in_square)

    @cached_property
    def cells(self) -> npt.NDArray[np.int64]:
        """Which of the cells of a grid each pixel is in, (H, W)."""
        rows, columns = (np.arange(side) * CELLS // side for side in self.image.shape[1:])
        cells: npt.NDArray[np.int64] = rows[:, None] * CELLS + columns
        return cells

    @cached_property
    def subsets(self) -> Removals:
        """Random subsets of the cells, each of the same size. Parts: whether each cell is in it, (n, cells)."""
        rng, number = np.random.default_rng(SUBSETS_SEED), CELLS**2
        ranks = np.argsort(rng.random((self.amounts.perturbations, number)), axis=1)
        return self._removed((ranks < round(SHARE * number)).astype(np.int64), _in_cells)

    def _removed(
        self, parts: npt.NDArray[np.int64], where: "Callable[[Case, npt.NDArray[np.int64]], Bools]"
    ) -> Removals:
        """What is removed gets the mean colour of the picture. where: the pixels (H, W) of a part."""
        cover = baseline(self.image, "mean")
        scores = self.scores(np.where(where(self, part), cover, self.image) for part in parts)
        return Removals(parts, self.score - scores)


def _in_square(case: Case, part: npt.NDArray[np.int64]) -> Bools:
    top, left, side = part
    mask = np.zeros(case.image.shape[1:], bool)
    mask[top : top + side, left : left + side] = True
    return mask


def _in_cells(case: Case, part: npt.NDArray[np.int64]) -> Bools:
    return part.astype(bool)[case.cells]


def _chunks(pictures: Iterable[Floats]) -> Iterator[Floats]:
    pictures = iter(pictures)
    while chunk := list(islice(pictures, CHUNK)):
        yield np.stack(chunk)
