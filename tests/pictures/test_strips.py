"""Large pictures: the same pixels as small ones, in parts; and not all of them at a time."""

import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from service.errors import TooLarge
from service.pictures import decode as decoding
from service.pictures import strips
from service.pictures.decode import decode
from service.pictures.turns import PixelTurns
from tests.waiting import eventually

RANDOM = np.random.default_rng(0)
TIMEOUT = 10.0


def png(mode: str, **info: Any) -> bytes:
    values = RANDOM.integers(0, 256, (37, 29, max(2, len(mode))), np.uint8)
    if mode == "I;16":
        image = Image.fromarray(values[..., :2].copy().view(np.uint16)[..., 0])
    else:
        image = Image.fromarray(values[..., 0] if len(mode) == 1 else values, mode)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **info)
    return buffer.getvalue()


def with_primaries() -> bytes:
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", (45455).to_bytes(4, "big"))
    wide = (31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600)
    chunks.add(b"cHRM", b"".join(value.to_bytes(4, "big") for value in wide))
    return png("RGB", pnginfo=chunks)


def tiff(dtype: str, channels: int) -> bytes:
    buffer = io.BytesIO()
    values = (RANDOM.random((37, 29, channels)) * 60000).astype(dtype)
    tifffile.imwrite(buffer, values, photometric="rgb", extrasamples=["unassalpha"] * (channels - 3))
    return buffer.getvalue()


PICTURES = {
    "L": png("L"),
    "RGBA": png("RGBA"),
    "LA": png("LA"),
    "I;16": png("I;16"),
    "transparent I;16": png("I;16", transparency=1234),
    "primaries": with_primaries(),
    "uint16 TIFF": tiff("uint16", 4),
    "float TIFF": tiff("float32", 3),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_in_parts_are_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = decode(PICTURES[name], 10**6).pixels
    monkeypatch.setattr(strips, "STRIP_VALUES", 200)
    monkeypatch.setattr(decoding, "STRIP_PIXELS", 100)
    assert (decode(PICTURES[name], 10**6).pixels == whole).all()


def test_samples_are_bounded_like_pixels() -> None:
    assert decode(tiff("uint16", 4), 37 * 29).size == (29, 37)
    with pytest.raises(TooLarge, match="pixels of 12 bytes"):
        decode(tiff("float32", 3), 37 * 29)


def test_large_pictures_take_turns_in_the_order_of_arrival() -> None:
    turns = PixelTurns(100)
    first, second, third = ExitStack(), Event(), Event()
    first.enter_context(turns.take(60))

    def wait(pixels: int, got: Event) -> None:
        with turns.take(pixels):
            got.set()

    with ThreadPoolExecutor(2) as pool, first:
        large = pool.submit(wait, 500, second)
        eventually(lambda: len(turns._waiting) == 1)
        small = pool.submit(wait, 10, third)  # there is room for it, but it is not its turn
        eventually(lambda: len(turns._waiting) == 2, seconds=TIMEOUT)
        first.close()
        large.result(TIMEOUT)
        small.result(TIMEOUT)
    assert second.is_set()
    assert third.is_set()
    assert turns._taken == 0
