"""Regions of a picture: square cells, and superpixels that follow its edges."""

from typing import Literal

import numpy as np

from service.attribution.method import Floats, Ints

Shape = Literal["cells", "superpixels"]


def labelled(image: Floats, shape: Shape, side: int) -> Ints:
    """The region of each pixel (H, W), numbered from 0: ``side`` x ``side`` cells, or at most as many superpixels."""
    found = superpixels(image, side**2) if shape == "superpixels" else cells(image, side)
    return found if found.any() else cells(image, 2)  # one region has nothing to be compared with


def cells(image: Floats, side: int) -> Ints:
    """Square cells, ``side`` along each side of the picture (3, H, W); each pixel has its own at most."""
    rows, columns = (np.arange(length) * side // length for length in image.shape[1:])
    found: Ints = np.unique(rows[:, None] * side + columns, return_inverse=True)[1].reshape(image.shape[1:])
    return found


def superpixels(image: Floats, most: int) -> Ints:
    """At most so many superpixels of a picture (3, H, W) in [0, 1] (Achanta et al. 2012, SLIC Superpixels)."""
    from skimage.segmentation import slic  # takes time and memory to be imported

    asked = most
    while True:
        found: Ints = slic(image.transpose(1, 2, 0), n_segments=asked, start_label=0).astype(np.int64)
        if found.max() < most or asked == 1:
            return np.minimum(found, most - 1)
        asked = max(1, asked * 9 // 10)
