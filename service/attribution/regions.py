"""Methods that gather the attributions of pixels in regions of the picture."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from service.attribution.method import Attribution, Floats, Parameters, Steps, Subject, method
from service.attribution.paths import StraightPath, integrated_gradients
from service.attribution.sampling import Array

Mask = npt.NDArray[np.bool_]

SCALES = (50, 100, 150, 250, 500, 1200)  # of the segmentation: larger ones give larger segments
DILATION = 5  # pixels by which segments reach across their edges
LEAST_SHARE = 1 / 1000  # of the picture: segments that would add less are left out


class Ranked(Parameters):
    """Parameters of XRAI."""

    steps: Annotated[int, Field(ge=2, le=500, description="Points on each of the two paths.")] = 20

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """Those of integrated gradients from black and from white."""
        return 2 * (2 + self.steps)


@method("xrai", "Kapishnikov et al. 2019, XRAI, section 3", Ranked, sign="positive")
def xrai(subject: Subject, image: Floats, class_id: int, parameters: Ranked) -> Steps:
    """Integrated gradients from black and white, summed over segments of many sizes, the densest segments first.

    Use it to point out objects and their parts with sharp outlines. Not for pixels, nor where edges mislead.
    """
    total = np.zeros(image.shape[1:])
    for i, fill in enumerate(("black", "white")):
        path = StraightPath(steps=parameters.steps, baseline=fill)
        steps = integrated_gradients(subject, image, class_id, path)
        try:
            while True:
                yield (i + next(steps)) / 2
        except StopIteration as end:
            found: Attribution = end.value
            total += found.map / 2
    return Attribution(ranked(total, segments(image)).astype(np.float32), found.at, {"samples": 2.0 * parameters.steps})


def segments(image: Floats) -> list[Mask]:
    """Overlapping segments (H, W) of a picture (3, H, W) by colour and edges (Felzenszwalb & Huttenlocher 2004)."""
    from scipy.ndimage import binary_dilation  # takes time and memory to be imported
    from skimage.segmentation import felzenszwalb

    y, x = np.ogrid[-DILATION : DILATION + 1, -DILATION : DILATION + 1]
    near = x**2 + y**2 <= DILATION**2
    smallest = max(2, image[0].size * 150 // 224**2)
    masks: list[Mask] = []
    for scale in SCALES:
        labels = felzenszwalb(image.transpose(1, 2, 0), scale=scale, sigma=0.8, min_size=smallest)
        masks += [labels == k for k in range(labels.max() + 1)]
    return [binary_dilation(mask, near) for mask in masks]


def ranked(values: Array, masks: list[Mask]) -> Array:
    """Each pixel gets the density of values (H, W) that its segment added when it was taken, the densest first.

    What no segment takes shares the density of the rest (section 3, algorithm 1).
    """
    flat, waiting = values.ravel(), np.stack([mask.ravel() for mask in masks]).astype(np.float32)
    free, found = np.ones(flat.size, np.float32), np.zeros(flat.size)
    least = LEAST_SHARE * flat.size
    while len(waiting):
        sums, sizes = (waiting @ np.stack([flat * free, free], axis=1).astype(np.float32)).T
        kept = sizes > least
        if not kept.any():
            break
        best = int(np.where(kept, sums / np.maximum(sizes, 1), -np.inf).argmax())
        taken = (waiting[best] * free).astype(bool)
        found[taken] = flat[taken].mean()
        free[taken] = 0
        kept[best] = False
        waiting = waiting[kept]
    rest = free.astype(bool)
    if rest.any():
        found[rest] = flat[rest].mean()
    return found.reshape(values.shape)
