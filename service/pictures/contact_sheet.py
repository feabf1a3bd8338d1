"""A sheet of small pictures with captions, to look over many at once."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from service.pictures.decode import Pixels

GROUND, TEXT, QUIET = (22, 19, 27), (241, 237, 244), (181, 173, 189)
MARGIN, GAP, LINE = 24, 16, 20  # pixels
TITLE_SIZE, TEXT_SIZE = 26, 14
WIDTH = 1600  # about, of the sheet


@dataclass(frozen=True)
class Cell:
    """Pictures side by side, and the lines below them; the first line is the brighter one."""

    pictures: Sequence[Pixels]
    lines: Sequence[str]


def contact_sheet(cells: Sequence[Cell], title: str, subtitle: str) -> Pixels:
    """The cells row by row below a title."""
    tile = _tile(cells)
    width = max((len(cell.pictures) for cell in cells), default=1) * (tile[0] + 2) - 2
    height = tile[1] + 6 + LINE * max((len(cell.lines) for cell in cells), default=0)
    columns = max(1, min(len(cells), (WIDTH - 2 * MARGIN + GAP) // (width + GAP)))
    rows = -(-len(cells) // columns)
    head = 2 * MARGIN + TITLE_SIZE + LINE
    size = (
        max(2 * MARGIN + columns * (width + GAP) - GAP, WIDTH // 2),
        head + rows * (height + GAP) + MARGIN - GAP,
    )
    sheet = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN - 6), _cut(title, size[0] - 2 * MARGIN, TITLE_SIZE), TEXT, _font(TITLE_SIZE))
    draw.text((MARGIN, MARGIN + TITLE_SIZE + 2), _cut(subtitle, size[0] - 2 * MARGIN, TEXT_SIZE), QUIET, _font())
    for i, cell in enumerate(cells):
        left, top = MARGIN + i % columns * (width + GAP), head + i // columns * (height + GAP)
        for k, picture in enumerate(cell.pictures):
            _put(sheet, picture, (left + k * (tile[0] + 2), top), tile)
        for k, line in enumerate(cell.lines):
            colour = QUIET if k else TEXT
            draw.text((left, top + tile[1] + 4 + k * LINE), _cut(line, width, TEXT_SIZE), colour, _font())
    return np.asarray(sheet)


def _tile(cells: Sequence[Cell]) -> tuple[int, int]:
    """Width and height that hold every picture."""
    shapes = [picture.shape for cell in cells for picture in cell.pictures]
    return max((shape[1] for shape in shapes), default=1), max((shape[0] for shape in shapes), default=1)


def _put(sheet: Image.Image, picture: Pixels, place: tuple[int, int], tile: tuple[int, int]) -> None:
    """Paste the picture into the middle of its tile."""
    height, width, _ = picture.shape
    sheet.paste(Image.fromarray(picture), (place[0] + (tile[0] - width) // 2, place[1] + (tile[1] - height) // 2))


@cache
def _font(size: int = TEXT_SIZE) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font with the letters of most scripts, which Matplotlib brings; Pillow's own has those of English only."""
    found = find_spec("matplotlib")
    for folder in found.submodule_search_locations or () if found else ():
        with suppress(OSError):
            return ImageFont.truetype(Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf", size)
    return ImageFont.load_default(size)


def _cut(text: str, width: int, size: int) -> str:
    """The text, shortened until it is no wider than so many pixels."""
    font, text = _font(size), text[:500]
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
