"""Gram matrices of activations: which channels are active at the same places."""

import numpy as np

from service.attribution import Floats


def gram(values: Floats) -> Floats:
    """The Gram matrices (N, C, C) of activations (N, C, H, W), divided by C·H·W."""
    columns = values.reshape(*values.shape[:2], -1).astype(np.float64)
    found: Floats = (columns @ columns.transpose(0, 2, 1) / values[0].size).astype(np.float32)
    return found


def unit(grams: Floats) -> Floats:
    """Matrices (N, C, C) at length 1."""
    lengths = np.sqrt(np.square(grams, dtype=np.float64).sum(axis=(1, 2), keepdims=True))
    found: Floats = (grams / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return found
