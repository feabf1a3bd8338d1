"""TIFF files of any depth and sample format, against their definition and against OpenCV."""

import io
import struct
import zlib
from contextlib import suppress
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.errors import NotAnImage, TooLarge
from service.pictures.decode import decode

Array = np.ndarray[Any, Any]
RAMP = np.linspace(0, 1, 48).reshape(6, 8)


def tiff(values: Array, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def seen(data: bytes) -> Array:
    return decode(data, 10**6).pixels.astype(int)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_greys_of_both_senses_and_byte_orders(order: str, photometric: str, dtype: str) -> None:
    largest = np.iinfo(dtype).max
    values = np.round(RAMP * largest).astype(dtype)
    found = seen(tiff(values, byteorder=order, photometric=photometric))
    expected = RAMP * 255 if photometric == "minisblack" else 255 - RAMP * 255
    assert np.abs(found - expected[..., None]).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_unsigned_integers_are_not_negative(order: str) -> None:
    values = (RAMP * (2**32 - 1)).astype(np.uint32)
    assert np.abs(seen(tiff(values, byteorder=order))[..., 0] - RAMP * 255).max() <= 1


def test_signed_integers_are_stretched() -> None:
    values = (RAMP * 2000 - 1000).astype(np.int16)
    assert np.abs(seen(tiff(values))[..., 0] - RAMP * 255).max() <= 1


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_within_0_and_1_are_as_they_are_and_others_stretched(dtype: str) -> None:
    dim = (0.25 + RAMP / 2).astype(dtype)
    assert np.abs(seen(tiff(dim))[..., 0] - (0.25 + RAMP / 2) * 255).max() <= 1
    assert np.abs(seen(tiff((RAMP * 500 - 100).astype(dtype)))[..., 0] - RAMP * 255).max() <= 1


def test_pixels_without_a_finite_number_ruin_nothing() -> None:
    values = (RAMP * 10).astype(np.float32)
    values[0, :3] = np.inf, -np.inf, np.nan
    found = seen(tiff(values))[..., 0]
    assert found[0, :3].tolist() == [255, 0, 0]
    rest = np.ones(values.shape, bool)
    rest[0, :3] = False
    low = values[rest].min()
    assert np.abs(found - (values - low) / (10 - low) * 255)[rest].max() <= 1
    with pytest.raises(NotAnImage, match="no pixel of the picture is a finite number"):
        seen(tiff(np.full((4, 4), np.nan, np.float32)))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_wide_colours(dtype: str, planar: str) -> None:
    rgb = np.random.default_rng(0).random((5, 7, 3))
    values = np.round(rgb * 65535).astype(np.uint16) if dtype == "uint16" else rgb.astype(np.float32)
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    found = seen(tiff(stored, photometric="rgb", planarconfig=planar))
    assert np.abs(found - rgb * 255).max() <= 1


def test_wide_colours_on_white() -> None:
    values = np.zeros((2, 2, 4), np.uint16)
    values[0, 0] = 0, 65535, 0, 65535
    values[0, 1] = 0, 65535, 0, 32768
    found = seen(tiff(values, photometric="rgb", extrasamples=["unassalpha"]))
    assert found[0, 0].tolist() == [0, 255, 0]
    assert np.abs(found[0, 1] - [127, 255, 127]).max() <= 1
    assert (found[1] == 255).all()


def test_their_size_is_judged_from_the_header() -> None:
    data = bytearray(tiff(np.zeros((4, 4), np.float32)))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tag = file.pages.first.tags["ImageWidth"]
        data[tag.offset + 8 : tag.offset + 10] = (60_000).to_bytes(2, "little")
    with pytest.raises(TooLarge):
        decode(bytes(data), 10_000)


SAMPLES = st.sampled_from(["uint8", "uint16", "float32"])


@settings(max_examples=60, deadline=None)
@given(
    SAMPLES,
    st.sampled_from(["<", ">"]),
    st.sampled_from(["minisblack", "rgb"]),
    st.sampled_from([None, "zlib"]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
)
def test_random_files_agree_with_opencv(
    dtype: str, order: str, photometric: str, compression: str | None, height: int, width: int, seed: int
) -> None:
    shape = (height, width, 3) if photometric == "rgb" else (height, width)
    rgb = np.random.default_rng(seed).random(shape)
    rgb.flat[:2] = [0, 1][: rgb.size]  # the range of floats is known
    scale = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    values = (np.round(rgb * scale) if scale > 1 else rgb).astype(dtype)
    data = tiff(values, byteorder=order, photometric=photometric, compression=compression)
    opinion = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert opinion is not None
    theirs = opinion[..., ::-1] if photometric == "rgb" else opinion[..., None]
    assert np.abs(seen(data) - theirs.astype(np.float64) * (255 / scale)).max() <= 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=12))
def test_damaged_files_are_refused_in_words_or_read(changes: list[tuple[int, int]]) -> None:
    data = bytearray(tiff((RAMP * 65535).astype(np.uint16)))
    for place, value in changes:
        data[place % len(data)] = value
    with suppress(NotAnImage, TooLarge):  # any other exception is a bug
        assert decode(bytes(data), 10**6).pixels.shape[2] == 3


def test_transparency_of_wide_png_files() -> None:
    values = np.array([[0, 300, 65535]], np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG", transparency=300)
    assert seen(buffer.getvalue())[0].tolist() == [[0] * 3, [255] * 3, [255] * 3]


def test_damaged_exif_data_of_a_png_is_ignored() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", exif=b"Exif\0\0II*\0garbage that is none")
    np.testing.assert_array_equal(seen(buffer.getvalue()), rgb)


def test_errors_name_no_objects() -> None:
    with pytest.raises(NotAnImage, match="its format is not known; send PNG, JPEG") as caught:
        decode(b"hello", 100)
    assert "BytesIO" not in str(caught.value)


@pytest.mark.parametrize(("kind", "options"), [("AVIF", {"quality": 100}), ("HEIF", {"quality": -1})])
def test_what_phones_send(kind: str, options: dict[str, Any]) -> None:
    smooth = np.stack([*np.meshgrid(np.arange(64), np.arange(48)), np.full((48, 64), 99)], axis=-1)
    rgb = (smooth * 2).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, kind, **options)
    assert np.abs(seen(buffer.getvalue()) - rgb).max() <= 6
    with pytest.raises(TooLarge):
        decode(buffer.getvalue(), 1000)


GREY, RGB, GREY_ALPHA, RGBA = 0, 2, 4, 6  # colour types of PNG
CHANNELS = {GREY: 1, RGB: 3, GREY_ALPHA: 2, RGBA: 4}


def png(values: Array, depth: int, colour_type: int) -> bytes:
    """A PNG of samples (H, W, channels), written as its specification has it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, _ = values.shape
    rows = b""
    for row in values.reshape(height, -1):
        bits = "".join(format(int(value), f"0{depth}b") for value in row)
        bits += "0" * (-len(bits) % 8)
        rows += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


FORMS = [(1, GREY), (2, GREY), (4, GREY), (8, GREY), (16, GREY), (8, RGB), (16, RGB)]
FORMS += [(8, GREY_ALPHA), (16, GREY_ALPHA), (8, RGBA), (16, RGBA)]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(FORMS), st.integers(1, 11), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_random_png_files_are_what_their_specification_says(
    form: tuple[int, int], width: int, height: int, seed: int
) -> None:
    depth, colour_type = form
    values = np.random.default_rng(seed).integers(0, 2**depth, (height, width, CHANNELS[colour_type]))
    data = png(values, depth, colour_type)
    levels = values / (2**depth - 1) * 255
    colours = levels[..., : 3 if colour_type in (RGB, RGBA) else 1]
    alpha = levels[..., -1:] / 255 if colour_type in (GREY_ALPHA, RGBA) else 1.0
    expected = colours * alpha + 255 * (1 - alpha)
    assert np.abs(seen(data) - expected).max() <= 2
    opinion = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if colour_type in (GREY, RGB):
        assert opinion is not None
        assert np.abs(seen(data) - opinion[..., ::-1].astype(int)).max() <= 1
