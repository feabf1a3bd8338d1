"""The pictures that innocent and abusers send."""

import io
from pathlib import Path

from PIL import Image

from tests.conftest import PHOTOGRAPHS
from tests.tools.soak.target import ASCENDING, FLAT, LARGE, SCANS, SMALL, STRIP, ascending


def make(folder: Path) -> None:
    """Write them into a folder."""
    folder.mkdir()
    cat = Image.open(PHOTOGRAPHS / "chelsea.png").convert("RGB")
    cat.resize((224, 224)).save(folder / SMALL)
    cat.resize((3000, 2000)).save(folder / LARGE)
    (folder / SCANS).write_bytes(many_scans(cat))
    Image.new("RGB", (7000, 7000), (90, 120, 40)).save(folder / FLAT)
    _strip(1792).save(folder / STRIP)
    for width in ASCENDING:
        _strip(width).save(folder / ascending(width))


def _strip(width: int) -> Image.Image:
    return Image.linear_gradient("L").resize((width, 224)).convert("RGB")


def many_scans(picture: Image.Image, times: int = 240) -> bytes:
    """A progressive JPEG whose last scan is there so many times."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * times + data[-2:]
