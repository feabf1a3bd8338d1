"""Maps of layers at the size of pictures."""

import numpy as np

from service.attribution.method import Floats


def scaled(small: Floats, image: Floats) -> Floats:
    """A map (h, w), scaled linearly to the size of the picture (3, H, W)."""
    from scipy.ndimage import zoom  # takes time and memory to be imported

    factors = [large / side for large, side in zip(image.shape[1:], small.shape, strict=True)]
    values: Floats = zoom(small, factors, order=1, mode="nearest", grid_mode=True).astype(np.float32)
    return values
