"""Square pieces of the photographs, as pictures of concepts."""

import io

import numpy as np
from PIL import Image

from tests.conftest import PHOTOGRAPHS

OTHERS = ("rocket.jpg", "astronaut.png", "coffee.png", "hubble_deep_field.jpg", "ihc.png", "motorcycle_left.png")


def pieces(name: str, number: int, side: int, seed: int = 0) -> list[bytes]:
    """So many pieces of a photograph as PNGs, at random places."""
    rng = np.random.default_rng(seed)
    with Image.open(PHOTOGRAPHS / name) as image:
        return [_piece(image, rng, side) for _ in range(number)]


def others(number: int, side: int) -> list[bytes]:
    """So many pieces of each photograph without a cat."""
    return [piece for name in OTHERS for piece in pieces(name, number, side)]


def _piece(image: Image.Image, rng: np.random.Generator, side: int) -> bytes:
    x, y = (int(rng.integers(0, length - side)) for length in image.size)
    buffer = io.BytesIO()
    image.convert("RGB").crop((x, y, x + side, y + side)).save(buffer, "PNG")
    return buffer.getvalue()
