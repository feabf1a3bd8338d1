"""Colour profiles and PNG gamma, against transforms written out here."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from service.pictures import colours
from service.pictures.decode import decode

Array = np.ndarray[Any, Any]
D50, D65 = (0.9642, 1.0, 0.8249), (0.95047, 1.0, 1.08883)
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
SPACES = {  # primaries, gamma
    "Display P3": (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), 2.2),
    "Adobe RGB": (((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), 2.19921875),
    "ProPhoto": (((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), 1.8),
    "linear": (SRGB, 1.0),
}
RGB = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


def to_xyz(primaries: tuple[tuple[float, float], ...], white: tuple[float, ...] = D65) -> Array:
    """Linear RGB to XYZ, adapted to D50 by the method of Bradford, as ICC profiles have it."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    matrix = columns * np.linalg.solve(columns, white)
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    scale = (bradford @ D50) / (bradford @ np.array(white))
    adapted: Array = np.linalg.inv(bradford) @ np.diag(scale) @ bradford @ matrix
    return adapted


def encoded(linear: Array) -> Array:
    """Linear light as bytes of sRGB."""
    linear = linear.clip(0, 1)
    curve = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    levels: Array = np.round(curve * 255)
    return levels


def profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile (version 2) of a monitor."""
    table, data, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", offset + len(data), len(content))
        data += padded
    body = struct.pack(">I", len(tags)) + table + data
    header = struct.pack(">I", 128 + len(body)) + b"\0\0\0\0" + b"\x02\x10\0\0" + b"mntr" + space + b"XYZ "
    header += b"\0" * 12 + b"acsp" + b"\0" * 28 + xyz(D50)[8:] + b"\0" * 48
    return header + body


def xyz(values: Any) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(float(v) * 65536)) for v in values)


def curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


TEXT = {
    b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78,
    b"cprt": b"text\0\0\0\0none\0",
    b"wtpt": xyz(D50),
}


def rgb_profile(primaries: tuple[tuple[float, float], ...], gamma: float, order: str = "rgb") -> bytes:
    matrix = to_xyz(primaries)
    tags = {f"{name}XYZ".encode(): xyz(matrix[:, i]) for i, name in enumerate(order)}
    tags |= {f"{name}TRC".encode(): curve(gamma) for name in "rgb"}
    return profile(b"RGB ", TEXT | tags)


def sent(pixels: Array, kind: str = "PNG", **options: Any) -> Array:
    """What the service sees of a file with these pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return decode(buffer.getvalue(), 10**6).pixels.astype(int)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_pictures_with_a_profile_become_srgb(name: str, kind: str) -> None:
    primaries, gamma = SPACES[name]
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    found = sent(RGB, kind, icc_profile=rgb_profile(primaries, gamma), **options)
    linear = (RGB / 255) ** (round(gamma * 256) / 256) @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(primaries)).T
    dark = linear.min(axis=2) < 0.01  # where rounding within the library shows
    assert np.abs(found - encoded(linear))[~dark].max() <= 3
    assert np.abs(found - RGB).max() > 3


def test_swapped_channels_are_swapped_back() -> None:
    found = sent(RGB, icc_profile=rgb_profile(SRGB, 2.2, order="bgr"))
    plain = sent(RGB, icc_profile=rgb_profile(SRGB, 2.2))
    assert np.abs(found - sent(RGB[..., ::-1].copy(), icc_profile=rgb_profile(SRGB, 2.2))).max() <= 2
    assert np.abs(found - plain).max() > 50


def test_grey_with_linear_light() -> None:
    grey = np.arange(256, dtype=np.uint8)[None].repeat(2, axis=0)
    found = sent(grey, icc_profile=profile(b"GRAY", TEXT | {b"kTRC": curve(1.0)}))
    expected = encoded(grey / 255)[..., None]
    assert np.abs(found - expected)[:, 8:].max() <= 2
    assert (np.ptp(found, axis=2) <= 1).all()


def test_transparency_and_palettes_keep_their_profile() -> None:
    icc = rgb_profile(*SPACES["Adobe RGB"])
    opaque = sent(RGB, icc_profile=icc)
    with_alpha = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    assert np.abs(sent(with_alpha, icc_profile=icc) - opaque).max() == 0
    buffer = io.BytesIO()
    few = Image.fromarray(RGB).quantize(16)
    few.save(buffer, "PNG", icc_profile=icc)
    seen = decode(buffer.getvalue(), 10**6).pixels.astype(int)
    assert np.abs(seen - sent(np.asarray(few.convert("RGB")), icc_profile=icc)).max() == 0


@pytest.mark.parametrize(
    "broken", [b"no profile", b"\0" * 200, rgb_profile(*SPACES["Adobe RGB"])[:150], profile(b"CMYK", TEXT)]
)
def test_a_profile_that_cannot_be_used_is_ignored(broken: bytes) -> None:
    assert np.abs(sent(RGB, icc_profile=broken) - RGB).max() == 0


def test_a_profile_of_srgb_changes_nothing_and_is_not_applied() -> None:
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.abs(sent(RGB, icc_profile=srgb) - RGB).max() == 0
    assert colours._transform(srgb, "RGB") is None


def png_with(**chunks: Any) -> bytes:
    """A PNG with the chunks gAMA and cHRM."""
    info = PngImagePlugin.PngInfo()
    if "gamma" in chunks:
        info.add(b"gAMA", struct.pack(">I", round(chunks["gamma"] * 100_000)))
    if "primaries" in chunks:
        white = (0.3127, 0.3290)
        numbers = [v for pair in (white, *chunks["primaries"]) for v in pair]
        info.add(b"cHRM", struct.pack(">8I", *(round(v * 100_000) for v in numbers)))
    if "srgb" in chunks:
        info.add(b"sRGB", b"\0")
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


@pytest.mark.parametrize("gamma", [1.0, 0.55556, 0.6])
def test_png_gamma(gamma: float) -> None:
    found = decode(png_with(gamma=gamma), 10**6).pixels.astype(int)
    assert np.abs(found - encoded((RGB / 255) ** (1 / gamma))).max() <= 1


def test_png_primaries() -> None:
    primaries = SPACES["Display P3"][0]
    found = decode(png_with(gamma=0.45455, primaries=primaries), 10**6).pixels.astype(int)
    levels = RGB / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    assert np.abs(found - encoded(linear @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(primaries)).T)).max() <= 1


@pytest.mark.parametrize(
    "chunks", [{"gamma": 0.45455}, {"gamma": 1.0, "srgb": True}, {"gamma": 0.45455, "primaries": SRGB}, {"gamma": 0.0}]
)
def test_usual_and_impossible_chunks_change_nothing(chunks: dict[str, Any]) -> None:
    assert np.abs(decode(png_with(**chunks), 10**6).pixels.astype(int) - RGB).max() == 0
