"""Methods that remove parts of the picture and observe how the score changes."""

from functools import lru_cache
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from service.attribution.baselines import Fill, baseline
from service.attribution.method import CHUNK, Attribution, Floats, Parameters, Steps, Subject, method

FillIn = Annotated[Fill, Field(description="What is put in the place of what is taken away.")]


class Windows(Parameters):
    """Parameters of methods that slide a window over the picture."""

    window: Annotated[
        int,
        Field(ge=1, le=512, description="Side of the square that is taken away, in pixels of what the network sees."),
    ] = 32
    stride: Annotated[int, Field(ge=1, le=512, description="Pixels between two squares; at most the side.")] = 16
    fill: FillIn = "mean"

    def runs_needed(self, height: int, width: int) -> int:
        """One run for the picture itself and one for each position of the window."""
        return 1 + len(self.starts(height)) * len(self.starts(width))

    def starts(self, side: int) -> range:
        """Where the windows begin along a side. They cover the whole side; the edge may cut off the last one."""
        return range(0, max(side - self.window, 0) + self.stride, self.stride)


@method(
    "occlusion",
    "Zeiler & Fergus 2013, Visualizing and Understanding Convolutional Networks, section 4.2",
    Windows,
    sign="positive",
)
def occlusion(subject: Subject, image: Floats, class_id: int, parameters: Windows) -> Steps:
    """By how much the score falls when a square is covered: the mean over all squares that cover a pixel."""
    at = subject.value_and_grad(image[None], np.array([class_id]))
    class_id = int(at.class_ids[0])
    whole = subject.of(at.logits, class_id)[0]
    cover = baseline(image, parameters.fill)
    height, width = image.shape[1:]
    places = [(y, x) for y in parameters.starts(height) for x in parameters.starts(width)]
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for i in range(0, len(places), CHUNK):
        squares = [
            (..., slice(y, y + parameters.window), slice(x, x + parameters.window)) for y, x in places[i : i + CHUNK]
        ]
        covered = np.repeat(image[None], len(squares), axis=0)
        for picture, square in zip(covered, squares, strict=True):
            picture[square] = cover[square]
        for square, score in zip(squares, subject.of(subject.logits(covered), class_id), strict=True):
            total[square] += whole - score
            count[square] += 1
        yield min(1.0, (i + CHUNK) / len(places))
    return Attribution((total / np.maximum(count, 1)).astype(np.float32), at)


class Masks(Parameters):
    """Parameters of methods that use random masks."""

    masks: Annotated[int, Field(ge=10, le=20_000, description="Random masks; more are less grainy.")] = 1000
    cells: Annotated[int, Field(ge=2, le=32, description="Cells of a mask along a side.")] = 7
    keep: Annotated[float, Field(gt=0, lt=1, description="Probability that a cell stays.")] = 0.5
    fill: FillIn = "mean"
    seed: Annotated[
        int, Field(ge=0, lt=2**53, description="Of the random numbers: the same seed gives the same map.")
    ] = 0

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture itself and one for each mask."""
        return 1 + self.masks


@method("rise", "Petsiuk et al. 2018, RISE, section 3", Masks, sign="positive")
def rise(subject: Subject, image: Floats, class_id: int, parameters: Masks) -> Steps:
    """The mean probability of the class over random soft masks that leave a pixel visible, less that over all masks."""
    at = subject.value_and_grad(image[None], np.array([class_id]))
    class_id = int(at.class_ids[0])
    cover = baseline(image, parameters.fill)
    rng = np.random.default_rng(parameters.seed)
    weighted, shown, seen = np.zeros(image.shape[1:]), np.zeros(image.shape[1:]), 0.0
    for i in range(0, parameters.masks, CHUNK):
        masks = np.stack(
            [random_mask(rng, image.shape[1:], parameters) for _ in range(min(CHUNK, parameters.masks - i))]
        )
        pictures = cover + masks[:, None] * (image - cover)
        probabilities = subject.of(subject.probabilities(pictures), class_id)
        weighted += np.tensordot(probabilities.astype(np.float64), masks, axes=1)
        shown += masks.sum(axis=0)
        seen += float(probabilities.sum())
        yield (i + len(masks)) / parameters.masks
    # Dividing by how often each pixel was actually visible, and subtracting the mean, reduces the noise of few masks.
    return Attribution((weighted / np.maximum(shown, 1e-9) - seen / parameters.masks).astype(np.float32), at)


def random_mask(rng: np.random.Generator, size: tuple[int, ...], parameters: Masks) -> Floats:
    """A mask (H, W) in [0, 1]: random cells, scaled up linearly and shifted by less than one cell (section 3.2)."""
    height, width = size
    cells = parameters.cells
    cell = (-(-height // cells), -(-width // cells))
    grid = rng.random((cells + 1, cells + 1)) < parameters.keep
    y, x = int(rng.integers(cell[0])), int(rng.integers(cell[1]))
    rows, columns = _stretch(cells + 1, cell[0]), _stretch(cells + 1, cell[1])
    mask: Floats = (rows[y : y + height] @ grid @ columns[x : x + width].T).astype(np.float32)
    return mask


@lru_cache(maxsize=64)
def _stretch(number: int, times: int) -> npt.NDArray[np.float64]:
    """What scales up so many values linearly, (number * times, number): to multiply by it is faster than to scale."""
    from scipy.ndimage import zoom  # takes time and memory to be imported

    stretched: npt.NDArray[np.float64] = zoom(np.eye(number), (times, 1), order=1, mode="nearest", grid_mode=True)
    return stretched
