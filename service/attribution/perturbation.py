"""Methods that remove parts of the picture and observe how the score changes."""

from functools import lru_cache
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from service.attribution.baselines import Fill, baseline
from service.attribution.method import CHUNK, Attribution, Floats, Parameters, Steps, Subject, method
from service.attribution.sampling import Array, Seed, Sums, Tolerance, averaged, relative

FillIn = Annotated[Fill, Field(description="What is put in the place of what is taken away.")]


class Windows(Parameters):
    """Parameters of methods that slide a window over the picture."""

    window: Annotated[
        int,
        Field(ge=1, le=512, description="Side of the square that is taken away, in pixels of what the network sees."),
    ] = 32
    stride: Annotated[int, Field(ge=1, le=512, description="Pixels between two squares; at most the side.")] = 16
    fill: FillIn = "mean"
    tolerance: Tolerance = None

    def runs_needed(self, height: int, width: int) -> int:
        """One run for the picture itself and one for each position of the window."""
        return 1 + len(self.places(height, width))

    def places(self, height: int, width: int, every: int = 1) -> list[tuple[int, int]]:
        """The upper left corners of the windows, or of those at each so manieth place along both sides and the last.

        They cover the whole picture if such places are no further apart than a window is wide; the edge may cut off
        the last windows.
        """
        rows, columns = (
            sorted({*starts[::every], starts[-1]})
            for starts in (range(0, max(side - self.window, 0) + self.stride, self.stride) for side in (height, width))
        )
        return [(y, x) for y in rows for x in columns]

    def square(self, place: tuple[int, int]) -> tuple[slice, slice, slice]:
        """What a window covers of a picture (3, H, W)."""
        y, x = place
        return slice(None), slice(y, y + self.window), slice(x, x + self.window)

    def refinements(self) -> list[int]:
        """How far apart places are, in strides: one, or first as far as the window is wide and then half of it."""
        if self.tolerance is None:
            return [1]
        widest = max(1, self.window // self.stride).bit_length() - 1
        return [2**i for i in range(widest, -1, -1)]


@method(
    "occlusion",
    "Zeiler & Fergus 2013, Visualizing and Understanding Convolutional Networks, section 4.2",
    Windows,
    sign="positive",
)
def occlusion(subject: Subject, image: Floats, class_id: int, parameters: Windows) -> Steps:
    """By how much the score falls when a square is covered: the mean over all squares that cover a pixel.

    Use it to check other maps by the plainest of experiments. Not for objects larger than the window or several of
    them.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]))
    class_id = int(at.class_ids[0])
    whole = subject.of(at.logits, class_id)[0]
    cover = baseline(image, parameters.fill)
    height, width = size = image.shape[1:]
    falls, times, heat = np.zeros(size), np.zeros(size), np.zeros(size)
    done: set[tuple[int, int]] = set()
    notes = {}
    for every in parameters.refinements():
        places = [place for place in parameters.places(height, width, every) if place not in done]
        for i in range(0, len(places), CHUNK):
            squares = [parameters.square(place) for place in places[i : i + CHUNK]]
            covered = np.repeat(image[None], len(squares), axis=0)
            for picture, square in zip(covered, squares, strict=True):
                picture[square] = cover[square]
            for square, score in zip(squares, subject.of(subject.logits(covered), class_id), strict=True):
                falls[square[1:]] += whole - score
                times[square[1:]] += 1
            done.update(places[i : i + CHUNK])
            yield len(done) / (parameters.runs_needed(height, width) - 1)
        before, heat = heat, falls / np.maximum(times, 1)
        if parameters.tolerance is not None:
            notes["relative_error"] = relative(heat - before, heat)  # 1 at first
            if notes["relative_error"] <= parameters.tolerance:
                break
    return Attribution(heat.astype(np.float32), at, {"samples": float(len(done)), **notes})


class Masks(Parameters):
    """Parameters of methods that use random masks."""

    masks: Annotated[int, Field(ge=10, le=20_000, description="Random masks; more are less grainy.")] = 1000
    cells: Annotated[int, Field(ge=2, le=32, description="Cells of a mask along a side.")] = 7
    keep: Annotated[float, Field(gt=0, lt=1, description="Probability that a cell stays.")] = 0.5
    fill: FillIn = "mean"
    seed: Seed = 0
    tolerance: Tolerance = None

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture itself and one for each mask."""
        return 1 + self.masks


@method("rise", "Petsiuk et al. 2018, RISE, section 3", Masks, sign="positive")
def rise(subject: Subject, image: Floats, class_id: int, parameters: Masks) -> Steps:
    """The mean probability of the class over random soft masks that leave a pixel visible, less that over all masks.

    Use it as a black-box map of the whereabouts. Not for small objects with large cells, nor in a hurry.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]))
    class_id = int(at.class_ids[0])
    cover = baseline(image, parameters.fill)
    rng = np.random.default_rng(parameters.seed)

    def chunk(number: int) -> tuple[int, Sums]:
        masks = np.stack([random_mask(rng, image.shape[1:], parameters) for _ in range(number)])
        pictures = cover + masks[:, None] * (image - cover)
        probabilities = subject.of(subject.probabilities(pictures), class_id).astype(np.float64)
        return number, (np.tensordot(probabilities, masks, axes=1), masks.sum(axis=0), probabilities.sum())

    def conditional(number: int, sums: Sums) -> Array:
        weighted, shown, seen = sums
        # Dividing by how often each pixel was actually visible, and subtracting the mean, reduces the noise of few.
        return weighted / np.maximum(shown, 1e-9) - seen / number

    chunks = (chunk(min(CHUNK, parameters.masks - i)) for i in range(0, parameters.masks, CHUNK))
    found, notes = yield from averaged(chunks, conditional, parameters.masks, parameters.tolerance)
    return Attribution(found.astype(np.float32), at, notes)


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
