"""Bytes to arrays and arrays to pictures. The only module that imports Pillow."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Literal

import cmap
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps
from scipy.ndimage import gaussian_filter

from service.errors import InvalidParameter, NotAnImage, TooLarge
from service.pictures import png

Pixels = npt.NDArray[np.uint8]  # (H, W, 3), RGB
Floats = npt.NDArray[np.float32]

Resize = Literal["squash", "crop", "native"]
Colormap = Literal["inferno", "viridis", "magma", "turbo", "jet", "hot", "gray"]

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_ELONGATION = 8  # the longest side of a native picture, in short sides: its cost grows with it
CLIP_PERCENTILE = (
    99.5  # a few pixels are several times hotter than all others; without clipping the picture is nearly black
)

Image.init()  # load all decoders now, not in the first request
Image.MAX_IMAGE_PIXELS = None  # `decode` judges the size itself, before any pixel is read


@dataclass(frozen=True)
class Photograph:
    """A decoded picture. image: RGB, maybe scaled down. size: width and height of what was sent, upright."""

    image: Image.Image
    size: tuple[int, int]

    @classmethod
    def of(cls, pixels: Pixels) -> "Photograph":
        """A picture that was not scaled down."""
        return cls(Image.fromarray(pixels), (pixels.shape[1], pixels.shape[0]))

    @property
    def pixels(self) -> Pixels:
        """(H, W, 3)."""
        return np.asarray(self.image)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """All of it: left, upper, right and lower corner."""
        return (0, 0, *self.image.size)

    def in_full(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """A box of the image in pixels of the picture as it was sent."""
        width, height = self.image.size
        x, y = self.size[0] / width, self.size[1] / height
        left, upper, right, lower = box
        return round(left * x), round(upper * y), round(right * x), round(lower * y)


def decode(data: bytes, max_pixels: int, enough: int | None = None) -> Photograph:
    """An upright RGB picture of the first frame.

    EXIF orientation is applied, transparent parts are laid on white, 16-bit, grey, palette and CMYK pixels converted.
    enough: short side, in pixels, that the caller needs; a larger JPEG is decoded at 1/2, 1/4 or 1/8 of its size,
    several times faster.
    Raises `TooLarge` (judged from the header) or `NotAnImage`.
    """
    if not data:
        raise NotAnImage("the file is empty; send a PNG, JPEG, WebP, GIF, BMP or TIFF image")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise TooLarge(
                    f"the image has {width} x {height} pixels, more than {max_pixels:,}; scale it down first"
                )
            if enough is not None and image.mode == "RGB":
                scale = enough / min(width, height)
                image.draft("RGB", (ceil(width * scale), ceil(height * scale)))
            image.load()
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5  # by a quarter
            ImageOps.exif_transpose(image, in_place=True)
            return Photograph(_to_rgb(image), (height, width) if turned else (width, height))
    except TooLarge:
        raise
    except Exception as error:
        raise NotAnImage(
            f"not an image that can be decoded ({error or type(error).__name__}); "
            "send PNG, JPEG, WebP, GIF, BMP or TIFF"
        ) from error


def to_floats(pixels: Pixels) -> Floats:
    """Pixels (H, W, 3) as what a network takes: (3, H, W) in [0, 1]."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255)


def to_pixels(image: npt.NDArray[np.floating]) -> Pixels:
    """An image (3, H, W) in [0, 1] as pixels (H, W, 3), rounded."""
    pixels: Pixels = (image * 255 + 0.5).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    return pixels


def decode_own(png: bytes) -> Pixels:
    """A picture that `encode_png` has written."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image, np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):  # wider than a byte without a fixed range: the range of the picture itself
        values = np.asarray(image, np.float64)
        if image.mode == "I" and values.min(initial=0) >= 0 and values.max(initial=0) < 2**16:
            return Image.fromarray((values / 257 + 0.5).astype(np.uint8)).convert("RGB")
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        scaled = np.nan_to_num((values - low) * (255 / max(high - low, 1e-12)))
        return Image.fromarray(scaled.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


@dataclass(frozen=True)
class Fitted:
    """A photograph as a network takes it.

    pixels: float32 (3, H, W) in [0, 1]. box: left, upper, right, lower corner of what the network sees, in pixels of
    the photograph.
    """

    pixels: Floats
    box: tuple[int, int, int, int]


def fit(photograph: Photograph, size: tuple[int, int], border: float, how: Resize) -> Fitted:
    """Scale a photograph for a network that was trained on pictures of ``size``, (height, width).

    ``squash``: the whole picture to that size. ``crop``: the central part of those proportions, after as much is left
    off that the rest would be ``border`` times as large. ``native``: the short side to that of ``size``, aspect ratio
    kept.
    """
    (width, height), whole = photograph.image.size, photograph.box
    wanted = (size[1], size[0])
    if how == "squash":
        return Fitted(_scaled(photograph, wanted, whole), whole)
    if how == "crop":
        factor = min(width / wanted[0], height / wanted[1]) / border
        box = _central(photograph.image.size, wanted[0] * factor, wanted[1] * factor)
        return Fitted(_scaled(photograph, wanted, box), box)
    scale = min(size) / min(height, width)
    if max(height, width) > MAX_ELONGATION * min(height, width):
        raise InvalidParameter(
            f"the picture is more than {MAX_ELONGATION} times as long as wide; use resize=squash or crop"
        )
    return Fitted(_scaled(photograph, (round(width * scale), round(height * scale)), whole), whole)


def _central(size: tuple[int, int], width: float, height: float) -> tuple[int, int, int, int]:
    """The box of that width and height in the middle of a picture of ``size``, (width, height)."""
    left, upper = round((size[0] - width) / 2), round((size[1] - height) / 2)
    return left, upper, left + max(1, round(width)), upper + max(1, round(height))


def _scaled(photograph: Photograph, size: tuple[int, int], box: tuple[int, int, int, int]) -> Floats:
    image = photograph.image
    if size != image.size or box != photograph.box:
        image = image.resize(size, Image.Resampling.BILINEAR, box=box)
    return to_floats(np.asarray(image))


def cut(photograph: Photograph, box: tuple[int, int, int, int], max_side: int) -> Pixels:
    """The part of the photograph in the box, scaled down so that no side is longer than ``max_side``."""
    part = photograph.image.crop(box)
    part.thumbnail((max_side, max_side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.asarray(part)


def normalize(saliency: Floats, smoothing: float = 0.0) -> Floats:
    """A map (H, W) to [0, 1]: smoothed by a Gaussian (sigma in pixels), divided by its 99.5th percentile, clipped.

    Zeros stay zeros.
    """
    if smoothing:
        saliency = gaussian_filter(saliency, smoothing)
    top = _percentile(saliency, CLIP_PERCENTILE) or float(saliency.max(initial=0))
    if top <= 0:
        return np.zeros_like(saliency)
    return (saliency / np.float32(top)).clip(0, 1)


def _percentile(values: Floats, q: float) -> float:
    """`np.percentile`, ten times faster: NumPy's partition is quick for one place only."""
    place = q / 100 * (values.size - 1)
    below = int(place)
    ordered = np.partition(values, below, axis=None)
    low, high = ordered[below], ordered[below + 1 :].min(initial=np.inf)
    return float(low + (high - low) * (place - below)) if place > below else float(low)


def heatmap(heat: Floats, colormap: Colormap) -> Pixels:
    """A map in [0, 1] in the colours of the colormap."""
    colours: Pixels = _palette(colormap)[_levels(heat)]
    return colours


def overlay(photograph: Pixels, heat: Floats, colormap: Colormap, opacity: float) -> Pixels:
    """The map over the photograph, the hotter the more opaque; ``opacity`` is that of the hottest pixels.

    What is cold stays visible as a dimmed grey photograph, so that colours mean heat and nothing else.
    """
    height, width = photograph.shape[:2]
    levels = Image.fromarray(_levels(heat)).resize((width, height), Image.Resampling.BICUBIC)
    alpha = (np.sqrt(np.linspace(0, 1, 256)) * opacity * 255 + 0.5).astype(int)
    grey = Image.fromarray(photograph).convert("L").convert("RGB")
    return np.asarray(Image.composite(_coloured(levels, colormap).convert("RGB"), grey, levels.point(alpha.tolist())))


def _coloured(levels: Image.Image, colormap: Colormap) -> Image.Image:
    """The levels of heat as a picture with a palette."""
    image = levels.copy()
    image.putpalette(_palette(colormap).tobytes())
    return image


def _levels(heat: Floats) -> npt.NDArray[np.uint8]:
    return (heat * 255 + 0.5).astype(np.uint8)


def beside(*pictures: Pixels) -> Pixels:
    """Pictures of the same height, side by side."""
    return np.concatenate(pictures, axis=1)


def below(*pictures: Pixels) -> Pixels:
    """Pictures of the same width, one below the other."""
    return np.concatenate(pictures, axis=0)


def scale_to(picture: Pixels, like: Pixels) -> Pixels:
    """The picture at the size of another."""
    return np.asarray(Image.fromarray(picture).resize((like.shape[1], like.shape[0]), Image.Resampling.BICUBIC))


def enlarge(picture: Pixels, height: int, width: int) -> Pixels:
    """The picture at a size, its pixels as squares."""
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST))


def encode_png(picture: Pixels) -> bytes:
    """PNG bytes; the same picture gives the same bytes."""
    return png.encode_rgb(picture)


def encode_heatmap(heat: Floats, colormap: Colormap) -> bytes:
    """`heatmap` as PNG bytes with a palette: a third of the bytes to compress."""
    return png.encode_palette(_levels(heat), _palette(colormap))


def animate(frames_png: Iterable[bytes], kind: Literal["gif", "webp"], milliseconds: int) -> bytes:
    """PNG pictures as an endless animation, each shown for so long, the last one for two seconds."""
    frames = [Image.open(io.BytesIO(data)).convert("RGB") for data in frames_png]
    durations = [milliseconds] * (len(frames) - 1) + [2000]
    buffer = io.BytesIO()
    options = {"quality": 80, "method": 2} if kind == "webp" else {}
    frames[0].save(buffer, kind.upper(), save_all=True, append_images=frames[1:], duration=durations, loop=0, **options)
    return buffer.getvalue()


@cache
def _palette(colormap: Colormap) -> Pixels:
    """(256, 3) colours from cold to hot."""
    return (np.asarray(cmap.Colormap(colormap).lut(256))[:, :3] * 255 + 0.5).astype(np.uint8)
