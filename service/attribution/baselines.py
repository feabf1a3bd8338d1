"""Pictures that hold nothing: what is put in the place of what is taken away."""

from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter

from service.attribution.method import Floats

Fill = Literal["black", "white", "grey", "mean", "blur"]
BLUR_SHARE = 1 / 16  # sigma of ``blur``, in short sides of the picture

_LEVELS = {"black": 0.0, "grey": 0.5, "white": 1.0}


def baseline(image: Floats, fill: Fill) -> Floats:
    """A picture of the shape of ``image`` (3, H, W): of one colour, of its mean colour, or the image blurred beyond recognition."""
    if fill == "blur":
        return blurred(image, min(image.shape[1:]) * BLUR_SHARE)
    if fill == "mean":
        return np.broadcast_to(image.mean(axis=(1, 2), keepdims=True), image.shape).copy()
    return np.full_like(image, _LEVELS[fill])


def blurred(image: Floats, sigma: float) -> Floats:
    """The image (3, H, W) under a Gaussian, sigma in pixels."""
    smooth: Floats = gaussian_filter(image, (0, sigma, sigma), mode="nearest") if sigma > 0 else image
    return smooth
