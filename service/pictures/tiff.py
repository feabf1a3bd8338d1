"""TIFF files that Pillow does not read, or not rightly: colours wider than a byte, and unusual sample formats."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from service.errors import NotAnImage, TooLarge
from service.pictures.greys import from_16_bits, in_range
from service.pictures.strips import by_strips

MAX_PIXEL_BYTES = 8  # of the largest picture: four samples of 16 bits
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Those that tifffile reads by itself: none, Deflate (two numbers), PackBits; and none or differences in a row.
_COMPRESSIONS, _PREDICTORS = (1, 8, 32946, 32773), (1, 2)
_GREYS, _RGB = (0, 1), 2  # photometric interpretations


def is_for_tifffile(data: bytes) -> bool:
    """Whether the file is a TIFF of wide or signed samples, greys or RGB, that is read here."""
    if data[:4] not in _MAGIC:
        return False
    import tifffile  # takes time and memory to be imported

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            if page.photometric not in (*_GREYS, _RGB) or page.dtype is None or page.imagedepth != 1:
                return False
            if page.compression not in _COMPRESSIONS or page.predictor not in _PREDICTORS:
                return False
            return bool(page.dtype.itemsize > 1 or page.dtype.kind != "u") and page.bitspersample > 1
    except Exception:  # noqa: BLE001 - Pillow is asked next, and says what is wrong
        return False


def size_of(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Width and height of the first page. Raises `TooLarge` for more samples than such a picture has."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        width, height = int(page.imagewidth), int(page.imagelength)
        size = page.bitspersample // 8 * page.samplesperpixel
        if width * height * size > MAX_PIXEL_BYTES * max_pixels:
            raise TooLarge(f"the image has {width} x {height} pixels of {size} bytes; scale it down first")
        return width, height


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """The first page as RGB (H, W, 3). Raises `NotAnImage`."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        height, width = page.imagelength, page.imagewidth
        values = page.asarray()
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            values = np.moveaxis(values, 0, -1)
        values = values.reshape(height, width, -1)
        orientation = int(page.tags.valueof("Orientation", default=1))
        colours = 3 if page.photometric == _RGB else 1
        if values.shape[2] < colours:
            raise NotAnImage(f"the picture has {values.shape[2]} channels instead of {colours}")
        seen = _as_bytes(values[..., :colours])
        if page.photometric == 0:
            seen = 255 - seen
        if values.shape[2] > colours:
            seen = _on_white(seen, _as_bytes(values[..., colours:])[..., :1])
    return np.ascontiguousarray(_upright(np.broadcast_to(seen, (height, width, 3)), orientation))


def _as_bytes(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if values.dtype == np.uint16:
        return by_strips(values, from_16_bits)
    return values.astype(np.uint8) if values.dtype == np.uint8 else in_range(values)


def _on_white(colours: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    def laid(part: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        share = part[..., -1:] / 255
        made: npt.NDArray[np.float64] = part[..., :-1] * share + 255 * (1 - share) + 0.5
        return made

    return by_strips(np.concatenate([colours, alpha], axis=-1), laid)


def _upright(picture: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Apply the TIFF tag: mirrored for even numbers of the first four, turned for the others."""
    if orientation in (2, 4, 5, 7):
        picture = picture[:, ::-1]
    turns = {3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}.get(orientation, 0)
    return np.rot90(picture, turns)
