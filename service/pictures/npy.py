"""Arrays as files."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt


def encode_npy(array: npt.NDArray[Any]) -> bytes:
    """The array in NumPy's file format."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
