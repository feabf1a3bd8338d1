"""Several maps over one photograph, each in a colour of its own, and a legend of bars in these colours."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw, ImageFont

from service.pictures.decode import Pixels

Floats = npt.NDArray[np.float32]

# The first seven are those of Okabe & Ito 2008, "Color Universal Design", which the colour-blind can tell apart.
COLOURS = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
    "#8f5bd6", "#9acd32", "#e8384f", "#40e0d0", "#a5703a",
)  # fmt: skip
ROW = 24  # height of a row of a legend, in pixels
NARROWEST, NARROWEST_CAPTION = 240, 96  # legend and caption, in pixels
_PAD, _LABEL, _NUMBERS = 5, 26, 76  # widths in a legend: between its parts, of a name, of a text
_PAPER, _INK, _AXIS = "#ffffff", "#202020", "#b0b0b0"
FAINT = 0.25  # strengths that get no number
_SHADE = 0.45  # brightness of a colour over black


def painted(photograph: Pixels, ids: npt.NDArray[np.int64], opacity: float) -> Pixels:
    """The photograph (H, W, 3) with each place of ``ids`` (h, w) in the colour of its class; none for −1."""
    height, width = photograph.shape[:2]
    rows, columns = (np.arange(side) * cells // side for side, cells in zip((height, width), ids.shape, strict=True))
    large = ids[rows[:, None], columns]
    colours = np.array([ImageColor.getrgb(colour) for colour in COLOURS], np.float32)[large % len(COLOURS)]
    mixed = (1 - opacity) * photograph + opacity * colours
    found: Pixels = np.where((large < 0)[..., None], photograph, mixed).round().astype(np.uint8)
    return found


def framed(photograph: Pixels, boxes: Sequence[tuple[float, ...]], ids: Sequence[int]) -> Pixels:
    """The photograph with boxes (left, upper, right, lower, in pixels) in the colours of their classes."""
    picture = Image.fromarray(photograph)
    draw = ImageDraw.Draw(picture)
    for box, class_id in zip(boxes, ids, strict=True):
        left, upper, right, lower = box
        corners = (min(left, right), min(upper, lower), max(left, right), max(upper, lower))
        draw.rectangle(corners, outline=COLOURS[class_id % len(COLOURS)], width=3)
    return np.asarray(picture)


def tinted(photograph: Pixels, maps: Floats, colours: Sequence[str], opacity: float) -> Pixels:
    """The photograph in grey, each pixel in the colour of the map that is the strongest there.

    Args:
        photograph: (H, W, 3).
        maps: (K, h, w) in [0, 1].
        colours: One for each map.
        opacity: Of the colour where a map is 1.
    """
    height, width = photograph.shape[:2]
    strongest, winner = np.zeros((height, width), np.float32), np.zeros((height, width), np.intp)
    for k, each in enumerate(maps):
        large = np.asarray(Image.fromarray(each).resize((width, height), Image.Resampling.BICUBIC))
        winner[large > strongest] = k
        np.maximum(strongest, large, out=strongest)
    grey = np.asarray(Image.fromarray(photograph).convert("L"), np.float32)[..., None]
    palette = np.array([_rgb(colour) for colour in colours], np.float32)
    tint = palette[winner] * (_SHADE + (1 - _SHADE) / 255 * grey)
    alpha = np.sqrt(strongest.clip(0, 1))[..., None] * np.float32(opacity)
    mixed: Pixels = (grey + alpha * (tint - grey) + 0.5).clip(0, 255).astype(np.uint8)
    return mixed


def numbered(pixels: Pixels, maps: Floats) -> Pixels:
    """The picture with the number of each map, from 1, where it is the strongest of all, unless it is faint there."""
    picture = Image.fromarray(pixels)
    canvas, font = ImageDraw.Draw(picture), _font(min(max(min(picture.size) / 16, 9.0), 28.0))
    rows, columns = maps.shape[1:]
    for k, each in enumerate(maps):
        own = np.where(maps.argmax(axis=0) == k, each, np.float32(0))
        if own.max() > FAINT:
            y, x = divmod(int(own.argmax()), columns)
            place = (x + 0.5) * picture.width / columns, (y + 0.5) * picture.height / rows
            canvas.text(place, str(k + 1), "white", font, "mm", stroke_width=2, stroke_fill="black")
    return np.asarray(picture)


def captioned(picture: Pixels, left: str, right: str = "") -> Pixels:
    """The picture with one or two short texts below it, and white beside it if it is too narrow for both."""
    picture = padded(picture, 0, NARROWEST_CAPTION if right else 0)
    strip = Image.new("RGB", (picture.shape[1], ROW), _PAPER)
    canvas, font = ImageDraw.Draw(strip), _font(13)
    canvas.text((_PAD, ROW / 2), left, _INK, font, "lm")
    canvas.text((strip.width - _PAD, ROW / 2), right, _INK, font, "rm")
    return np.concatenate([picture, np.asarray(strip)])


def legend(title: str, values: Sequence[float], width: int) -> Pixels:
    """A title, and a row for each value: its number, a bar in its colour (to the left if negative) and its text."""
    picture = Image.new("RGB", (width, ROW * (len(values) + 1)), _PAPER)
    canvas, font = ImageDraw.Draw(picture), _font(13)
    canvas.text((_LABEL / 2, ROW / 2), title, _INK, font, "lm")
    left, right = _LABEL, width - _NUMBERS
    low, high = min(0.0, *values), max(0.0, *values)
    scale = (right - left) / max(high - low, float(np.finfo(np.float32).tiny))
    zero = left - low * scale
    for i, value in enumerate(values):
        top = ROW * (i + 1)
        start, end = sorted((zero, zero + value * scale))
        canvas.rectangle((start, top + _PAD, end, top + ROW - _PAD), COLOURS[i])
        canvas.text((_LABEL / 2, top + ROW / 2), str(i + 1), _INK, font, "mm")
        canvas.text((width - _PAD, top + ROW / 2), f"{value:+.2f}", _INK, font, "rm")
    canvas.line((zero, ROW, zero, picture.height), _AXIS)
    return np.asarray(picture)


def padded(picture: Pixels, height: int, width: int) -> Pixels:
    """The picture in the upper left corner of a white one of at least that size."""
    canvas = np.full((max(height, len(picture)), max(width, picture.shape[1]), 3), 255, np.uint8)
    canvas[: len(picture), : picture.shape[1]] = picture
    return canvas


def at_least(picture: Pixels, side: int) -> Pixels:
    """The picture, enlarged so that its longer side is not shorter than that."""
    height, width = picture.shape[:2]
    if (scale := side / max(height, width)) <= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
