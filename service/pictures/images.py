"""Arrays to pictures, and photographs to what networks take."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import cmap
import numpy as np
import numpy.typing as npt
from PIL import Image

from service.errors import InvalidParameter
from service.pictures import png
from service.pictures.decode import Photograph, Pixels

Floats = npt.NDArray[np.float32]

Decode = Literal["exact", "fast"]
Media = Literal["image/png", "image/webp", "image/jpeg"]
Resize = Literal["squash", "crop", "native"]
Colormap = Literal["inferno", "viridis", "magma", "turbo", "jet", "hot", "gray"]

MAX_ELONGATION = 8  # the longest side of a native picture, in short sides: its cost grows with it
CLIP_PERCENTILE = (
    99.5  # a few pixels are several times hotter than all others; without clipping the picture is nearly black
)


def to_floats(pixels: Pixels) -> Floats:
    """Pixels (H, W, 3) as what a network takes: (3, H, W) in [0, 1]."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255)


def to_pixels(image: npt.NDArray[np.floating]) -> Pixels:
    """An image (3, H, W) in [0, 1] as pixels (H, W, 3), rounded."""
    pixels: Pixels = (image * 255 + 0.5).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    return pixels


@dataclass(frozen=True)
class Fitted:
    """A photograph as a network takes it.

    Attributes:
        pixels: float32 (3, H, W) in [0, 1].
        box: The left, upper, right and lower corner of what the network sees, in pixels of the photograph.
        sent_box: The same in pixels of the picture as it was sent.
    """

    pixels: Floats
    box: tuple[int, int, int, int]
    sent_box: tuple[int, int, int, int]

    @classmethod
    def of(cls, pixels: Floats) -> "Fitted":
        """A picture that was sent as a network takes it."""
        box = (0, 0, pixels.shape[2], pixels.shape[1])
        return cls(pixels, box, box)


def fit(photograph: Photograph, size: tuple[int, int], border: float, how: Resize) -> Fitted:
    """Scale a photograph for a network that was trained on pictures of ``size``, (height, width).

    ``squash``: the whole picture to that size. ``crop``: the central part of those proportions, after as much is left
    off that the rest would be ``border`` times as large. ``native``: the short side to that of ``size``, aspect ratio
    kept.
    """
    box = box_of(photograph, size, border, how)
    if how != "native":
        return Fitted(_scaled(photograph, (size[1], size[0]), box), box, photograph.in_full(box))
    width, height = photograph.image.size
    scale = min(size) / min(height, width)
    if max(height, width) > MAX_ELONGATION * min(height, width):
        raise InvalidParameter(
            f"the picture is more than {MAX_ELONGATION} times as long as wide; use resize=squash or crop"
        )
    pixels = _scaled(photograph, (round(width * scale), round(height * scale)), box)
    return Fitted(pixels, box, photograph.in_full(box))


def box_of(photograph: Photograph, size: tuple[int, int], border: float, how: Resize) -> tuple[int, int, int, int]:
    """The part of a photograph that `fit` takes."""
    if how != "crop":
        return photograph.box
    width, height = photograph.image.size
    factor = min(width / size[1], height / size[0]) / border
    return _central(photograph.image.size, size[1] * factor, size[0] * factor)


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
    width, height = box[2] - box[0], box[3] - box[1]
    scale = max_side / max(width, height)
    if scale >= 1:
        return np.asarray(photograph.image.crop(box))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(photograph.image.resize(size, Image.Resampling.BICUBIC, box, reducing_gap=2.0))


def reduced(photograph: Photograph, fitted: Fitted, max_side: int) -> tuple[Photograph, Fitted]:
    """What is needed of a photograph to draw on: the part that the network sees, at the size at which it is shown."""
    if max(photograph.image.size) <= max_side:
        return photograph, fitted
    part = Photograph(Image.fromarray(cut(photograph, fitted.box, max_side)), photograph.size)
    return part, replace(fitted, box=part.box)


def normalize(saliency: Floats, smoothing: float = 0.0) -> Floats:
    """A map (H, W) to [0, 1]: smoothed by a Gaussian (sigma in pixels), divided by its 99.5th percentile, clipped.

    Zeros stay zeros.
    """
    if smoothing:
        from scipy.ndimage import gaussian_filter  # takes time and memory to be imported

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


def tiled(tiles: Sequence[Pixels], gap: int) -> Pixels:
    """Pictures of one size row by row in a grid that is about as many wide as high, black between them."""
    columns = int(np.ceil(np.sqrt(len(tiles))))
    rows = -(-len(tiles) // columns)
    height, width, _ = tiles[0].shape
    canvas = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), np.uint8)
    for i, tile in enumerate(tiles):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        canvas[y : y + height, x : x + width] = tile
    return canvas


def scale_to(picture: Pixels, like: Pixels) -> Pixels:
    """The picture at the size of another."""
    return np.asarray(Image.fromarray(picture).resize((like.shape[1], like.shape[0]), Image.Resampling.BICUBIC))


def enlarge(picture: Pixels, height: int, width: int) -> Pixels:
    """The picture at a size, its pixels as squares."""
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST))


def encode_png(picture: Pixels) -> bytes:
    """PNG bytes; the same picture gives the same bytes."""
    return png.encode_rgb(picture)


def encode_grey(levels: npt.NDArray[np.uint8]) -> bytes:
    """PNG bytes of one channel (H, W); the same picture gives the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


def encode(picture: Pixels, media: Media) -> bytes:
    """A picture in the format of the media type: PNG is exact, WebP and JPEG are a fraction of its size."""
    if media == "image/png":
        return encode_png(picture)
    buffer = io.BytesIO()
    if media == "image/webp":
        Image.fromarray(picture).save(buffer, "WEBP", quality=85, method=2)
    else:
        Image.fromarray(picture).save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def encode_heatmap(heat: Floats, colormap: Colormap) -> bytes:
    """`heatmap` as PNG bytes with a palette: a third of the bytes to compress."""
    return png.encode_palette(_levels(heat), _palette(colormap))


@cache
def _palette(colormap: Colormap) -> Pixels:
    """(256, 3) colours from cold to hot."""
    return (np.asarray(cmap.Colormap(colormap).lut(256))[:, :3] * 255 + 0.5).astype(np.uint8)
