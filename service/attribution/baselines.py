"""Baselines: uninformative pictures that replace the parts of a picture that are removed."""

from typing import Literal

import numpy as np

from service.attribution.method import Floats

Fill = Literal["black", "white", "grey", "mean", "blur"]
BLUR_SHARE = 1 / 16  # sigma of ``blur`` as a share of the picture's short side
WIDE = 1 / 100  # of a Gaussian: sigma as a share of the picture's long side

_LEVELS = {"black": 0.0, "grey": 0.5, "white": 1.0}


def baseline(image: Floats, fill: Fill) -> Floats:
    """An uninformative picture of the same shape as ``image`` (3, H, W).

    It is black, white, grey, of the mean colour of the image, or the image blurred beyond recognition.
    """
    if fill == "blur":
        return blurred(image, min(image.shape[1:]) * BLUR_SHARE)
    if fill == "mean":
        return np.broadcast_to(image.mean(axis=(1, 2), keepdims=True), image.shape).copy()
    return np.full_like(image, _LEVELS[fill])


def blurred(image: Floats, sigma: float) -> Floats:
    """The image (3, H, W) smoothed by a Gaussian, beyond whose edge it goes on as there; sigma is in pixels."""
    if sigma <= 0:
        return image
    if sigma < WIDE * max(image.shape[1:]):
        from scipy.ndimage import gaussian_filter  # takes time and memory to be imported

        smooth: Floats = gaussian_filter(image, (0, sigma, sigma), mode="nearest")
        return smooth
    rows, columns = (_gaussian(side, sigma) for side in image.shape[1:])
    return np.asarray(rows @ image @ columns.T, np.float32)


def _gaussian(side: int, sigma: float) -> Floats:
    """The matrix (side, side) that smooths a row, which as a product takes a tenth of the time for a wide Gaussian."""
    reach = int(4 * sigma + 0.5)  # as SciPy has it
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    places = np.arange(side)[:, None]
    entries = places * side + np.clip(places + steps, 0, side - 1)
    sums = np.bincount(entries.ravel(), np.tile(weights / weights.sum(), side), side * side)
    return sums.reshape(side, side).astype(np.float32)
