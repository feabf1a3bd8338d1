"""Baselines: uninformative pictures that replace the parts of a picture that are removed."""

from typing import Literal

import numpy as np

from service.attribution.method import Floats

Fill = Literal["black", "white", "grey", "mean", "blur"]
BLUR_SHARE = 1 / 16  # sigma of ``blur`` as a share of the picture's short side

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
    """The image (3, H, W) smoothed by a Gaussian; sigma is in pixels."""
    if sigma <= 0:
        return image
    from scipy.ndimage import gaussian_filter  # takes time and memory to be imported

    smooth: Floats = gaussian_filter(image, (0, sigma, sigma), mode="nearest")
    return smooth
