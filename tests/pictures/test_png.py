"""PNG files are read back by Pillow, which knows nothing of how they were written."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from service.pictures.png import encode_palette, encode_rgb

SIDES = st.integers(1, 40)


@given(SIDES, SIDES, st.integers(0, 2**32))
def test_colours_come_back(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.open(io.BytesIO(encode_rgb(pixels)))
    assert (image.format, image.mode) == ("PNG", "RGB")
    np.testing.assert_array_equal(np.asarray(image), pixels)


@given(SIDES, SIDES, st.integers(0, 2**32))
def test_palettes_come_back(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    indices, palette = rng.integers(0, 256, (height, width), np.uint8), rng.integers(0, 256, (256, 3), np.uint8)
    image = Image.open(io.BytesIO(encode_palette(indices, palette)))
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), palette[indices])


@pytest.mark.parametrize("shape", [(5, 7, 3), (6, 8, 3)])
def test_views_and_slices_come_back(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)[3 : 3 + shape[0] : 1, ::-1][:, : shape[1]]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode_rgb(pixels)))), pixels)
