"""Decoding what people send, and drawing maps."""

import io
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from service.errors import InvalidParameter, NotAnImage, TooLarge
from service.pictures.decode import Photograph, decode
from service.pictures.images import _percentile, cut, encode_heatmap, encode_png, fit, heatmap, normalize, overlay

LIMIT = 10**6
GRADIENT = np.stack(np.meshgrid(np.arange(40) * 6, np.arange(30) * 8), -1).astype(np.uint8)
RGB = np.dstack([GRADIENT, np.full((30, 40), 90, np.uint8)])


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "options", "tolerance"), [
    ("PNG", {}, 0), ("BMP", {}, 0), ("TIFF", {}, 0), ("TIFF", {"compression": "tiff_lzw"}, 0),
    ("WEBP", {"lossless": True}, 0),
    ("JPEG", {"quality": 95}, 12), ("WEBP", {"quality": 90}, 25), ("GIF", {}, 40), ("MPO", {"quality": 95}, 12),
])  # fmt: skip
def test_formats(kind: str, options: dict[str, Any], tolerance: int) -> None:
    pixels = decode(encoded(Image.fromarray(RGB), kind, **options), LIMIT).pixels
    assert np.abs(pixels.astype(int) - RGB).max() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int) -> None:
    turned = {1: RGB, 2: RGB[:, ::-1], 3: RGB[::-1, ::-1], 4: RGB[::-1], 5: RGB.swapaxes(0, 1), 6: np.rot90(RGB),
              7: RGB[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(RGB, -1)}[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(turned)), "PNG", exif=exif)
    np.testing.assert_array_equal(decode(data, LIMIT).pixels, RGB)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled(kind: str) -> None:
    grey = np.linspace(0, 65535, 1200).reshape(30, 40).astype(np.uint16)
    pixels = decode(encoded(Image.fromarray(grey), kind), LIMIT).pixels
    assert np.abs(pixels[..., 1].astype(float) - grey / 257).max() <= 1


def test_floating_point_pixels_are_scaled_to_their_range() -> None:
    pixels = decode(
        encoded(Image.fromarray(np.linspace(-3, 7, 1200, dtype=np.float32).reshape(30, 40)), "TIFF"), LIMIT
    ).pixels
    assert (pixels.min(), pixels.max()) == (0, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_modes_are_converted(mode: str) -> None:
    image = Image.fromarray(RGB).convert(mode)
    pixels = decode(encoded(image, "TIFF" if mode == "CMYK" else "PNG"), LIMIT).pixels
    assert pixels.shape == (30, 40, 3)
    np.testing.assert_allclose(pixels.astype(int), np.asarray(image.convert("RGB")).astype(int), atol=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_lie_on_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    data = encoded(image.convert(mode), "PNG", **({"transparency": 0} if mode == "P" else {}))
    assert (decode(data, LIMIT).pixels == 255).all()


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    pixels = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), LIMIT).pixels
    assert pixels[0, 0].tolist() == [255, 0, 0] or pixels[0, 0, 0] > 250


def test_too_many_pixels_are_judged_from_the_header() -> None:
    header = encoded(Image.fromarray(RGB), "PNG")
    huge = header[:16] + (30_000).to_bytes(4, "big") * 2 + header[24:]
    # The CRC of the header does not fit any more: had a pixel been read, the answer would be another.
    with pytest.raises((TooLarge, NotAnImage)):
        decode(huge, LIMIT)
    with pytest.raises(TooLarge, match="40 x 30 pixels, more than 1,000"):
        decode(header[:60], 1000)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", encoded(Image.fromarray(RGB), "JPEG")[:300]])
def test_what_is_no_image_says_so(data: bytes) -> None:
    with pytest.raises(NotAnImage, match="PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC"):
        decode(data, LIMIT)


@given(
    st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]),
    st.integers(0, 400),
    st.binary(min_size=1, max_size=8),
)
def test_damage_is_an_error_or_a_picture_and_nothing_else(kind: str, at: int, noise: bytes) -> None:
    data = bytearray(encoded(Image.fromarray(RGB), kind))
    data[at : at + len(noise)] = noise
    with suppress(NotAnImage, TooLarge):
        assert decode(bytes(data), LIMIT).pixels.shape[2] == 3


@pytest.mark.parametrize(
    ("enough", "expected"),
    [(None, (1200, 900)), (800, (1200, 900)), (400, (600, 450)), (100, (150, 113)), (1, (150, 113))],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_decoded_no_larger_than_needed(
    enough: int | None, expected: tuple[int, int], orientation: int
) -> None:
    large = Image.fromarray(RGB).resize((1200, 900), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    photograph = decode(encoded(large, "JPEG", quality=95, exif=exif), 10**7, enough)
    turned = orientation == 6
    assert photograph.pixels.shape[1::-1] == (expected[::-1] if turned else expected)
    assert photograph.size == ((900, 1200) if turned else (1200, 900))
    height, width = photograph.pixels.shape[:2]
    assert photograph.in_full((0, 0, width, height)) == (0, 0, *photograph.size)
    mine = fit(photograph, (64, 64), 1.25, "squash").pixels
    whole = fit(decode(encoded(large, "JPEG", quality=95, exif=exif), 10**7), (64, 64), 1.25, "squash").pixels
    assert np.abs(mine - whole).max() < 0.05


def test_squash_shows_the_whole_picture() -> None:
    fitted = fit(Photograph.of(RGB), (16, 16), 1.25, "squash")
    assert (fitted.pixels.shape, fitted.box, fitted.pixels.dtype) == ((3, 16, 16), (0, 0, 40, 30), np.float32)
    assert 0 <= fitted.pixels.min() <= fitted.pixels.max() <= 1


def test_a_picture_of_the_right_size_is_taken_as_it_is() -> None:
    square = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    np.testing.assert_array_equal(
        fit(Photograph.of(square), (16, 16), 1.25, "squash").pixels, (square / np.float32(255)).transpose(2, 0, 1)
    )


def test_crop_shows_the_middle() -> None:
    photograph = np.asarray(Image.fromarray(RGB).resize((600, 300), Image.Resampling.BICUBIC))
    fitted = fit(Photograph.of(photograph), (224, 224), 256 / 224, "crop")
    left, upper, right, lower = fitted.box
    assert right - left == lower - upper == round(300 * 224 / 256)
    assert abs((left + right) / 2 - 300) <= 1
    assert abs((upper + lower) / 2 - 150) <= 1
    resized = np.asarray(Image.fromarray(photograph).resize((512, 256), Image.Resampling.BILINEAR), np.float32)[
        16:240, 144:368
    ]
    assert np.abs(fitted.pixels.transpose(1, 2, 0) * 255 - resized).max() < 3


@pytest.mark.parametrize(
    ("shape", "expected"), [((300, 600), (224, 448)), ((500, 400), (280, 224)), ((1, 8), (224, 1792))]
)
def test_native_keeps_the_aspect_ratio(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert (
        fit(Photograph.of(np.zeros((*shape, 3), np.uint8)), (224, 224), 256 / 224, "native").pixels.shape[1:]
        == expected
    )


def test_a_native_strip_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="more than 8 times as long"):
        fit(Photograph.of(np.zeros((1, 9, 3), np.uint8)), (224, 224), 256 / 224, "native")


def test_tiny_pictures_are_fitted() -> None:
    for how in ("squash", "crop", "native"):
        assert fit(Photograph.of(np.zeros((1, 1, 3), np.uint8)), (224, 224), 256 / 224, how).pixels.shape == (
            3,
            224,
            224,
        )  # type: ignore[arg-type]


def test_a_few_hot_pixels_do_not_darken_the_map() -> None:
    saliency = np.full((100, 100), 1.0, np.float32)
    saliency[0, :10] = 50
    assert normalize(saliency)[50, 50] == 1


def test_a_map_of_zeros_stays_dark() -> None:
    zeros = np.zeros((8, 8), np.float32)
    assert not normalize(zeros).any()
    np.testing.assert_array_equal(heatmap(zeros, "gray"), 0)


def test_smoothing_spreads_heat() -> None:
    point = np.zeros((21, 21), np.float32)
    point[10, 10] = 1
    assert normalize(point)[9, 10] == 0
    assert normalize(point, 2)[9, 10] > 0.5


def test_an_overlay_without_opacity_is_the_grey_photograph() -> None:
    heat = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    grey = np.asarray(Image.fromarray(RGB).convert("L"))
    np.testing.assert_array_equal(overlay(RGB, heat, "inferno", 0.0), np.dstack([grey] * 3))


def test_an_overlay_colours_what_is_hot() -> None:
    heat = np.zeros((30, 40), np.float32)
    heat[:15] = 1
    picture = overlay(RGB, heat, "hot", 1.0)
    assert (picture[:10] == heatmap(np.ones((10, 40), np.float32), "hot")).all()
    grey = np.asarray(Image.fromarray(RGB).convert("L"))
    np.testing.assert_array_equal(picture[20:], np.dstack([grey[20:]] * 3))


def test_an_overlay_is_the_blend_that_it_says() -> None:
    heat = np.random.default_rng(1).random((30, 40)).astype(np.float32)
    level = (heat * 255 + 0.5).astype(np.uint8)
    grey = np.asarray(Image.fromarray(RGB).convert("L"), np.float64)[..., None]
    alpha = (np.sqrt(level / 255) * 0.7)[..., None]
    expected = grey * (1 - alpha) + heatmap(heat, "viridis") * alpha
    assert np.abs(overlay(RGB, heat, "viridis", 0.7) - expected).max() < 2


def test_large_photographs_are_scaled_for_overlays() -> None:
    assert cut(Photograph.of(np.zeros((100, 300, 3), np.uint8)), (100, 0, 300, 100), 50).shape == (25, 50, 3)


def test_a_heatmap_with_a_palette_has_the_same_pixels() -> None:
    heat = rng_heat()
    decoded = np.asarray(Image.open(io.BytesIO(encode_heatmap(heat, "turbo"))).convert("RGB"))
    np.testing.assert_array_equal(decoded, heatmap(heat, "turbo"))


def rng_heat() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).random((20, 30)).astype(np.float32)


def test_png_encodes_the_pixels() -> None:
    data = encode_png(RGB)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), RGB)
    assert data == encode_png(RGB)


@pytest.mark.parametrize("size", [1, 2, 200, 201, 1001])
def test_the_percentile_is_numpys(size: int) -> None:
    values = np.random.default_rng(size).random((size, 3)).astype(np.float32)
    assert _percentile(values, 99.5) == pytest.approx(np.percentile(values, 99.5), rel=1e-6)
    assert _percentile(values[:1, :1], 99.5) == values[0, 0]
