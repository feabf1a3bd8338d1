"""From the bytes of a file to an upright RGB picture in sRGB. Only the modules of this package import Pillow."""

import io
from dataclasses import dataclass
from importlib import import_module
from math import ceil

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from service.errors import ConvlensError, NotAnImage, TooLarge
from service.pictures import tiff
from service.pictures.colours import to_srgb
from service.pictures.greys import to_bytes
from service.pictures.turns import Turn

Pixels = npt.NDArray[np.uint8]  # (H, W, 3), RGB

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_SCANS = 100  # of a progressive JPEG, which has about ten; each is decoded over the whole picture
STRIP_PIXELS = 2**20  # of a large picture that are laid on white at a time
_START_OF_SCAN = b"\xff\xda"
_BOX = b"ftyp"  # the first of a HEIC or AVIF file, after its size
NAMES = "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC"

for _reader in ("Avif", "Bmp", "Gif", "Jpeg", "Mpo", "Png", "Tiff", "WebP"):
    import_module(f"PIL.{_reader}ImagePlugin")  # now, not in the first request
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


def decode(data: bytes, max_pixels: int, enough: int | None = None, turn: Turn | None = None) -> Photograph:
    """An upright RGB picture of the first frame, in sRGB.

    EXIF orientation and colour profiles are applied, transparent parts are laid on white; 16-bit, grey, palette and
    CMYK pixels are converted.

    Args:
        data: The bytes of the file.
        max_pixels: The largest picture.
        enough: Short side, in pixels, that the caller needs; a larger JPEG is decoded at 1/2, 1/4 or 1/8 of its size,
            several times faster.
        turn: Ended by the caller once it needs the picture no more: large pictures take turns until then.

    Raises:
        TooLarge: The picture has too many pixels, judged from the header.
        NotAnImage: The bytes cannot be decoded.
    """
    if not data:
        raise NotAnImage(f"the file is empty; send a {NAMES} image")
    try:
        with Turn() as own:
            return _decoded(data, max_pixels, enough, turn or own)
    except ConvlensError:
        raise
    except UnidentifiedImageError as error:
        raise NotAnImage(f"not an image that can be decoded: its format is not known; send {NAMES}") from error
    except Exception as error:
        raise NotAnImage(f"not an image that can be decoded ({error or type(error).__name__}); send {NAMES}") from error


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raise `TooLarge` for too large a picture."""
    if width * height > max_pixels:
        raise TooLarge(f"the image has {width} x {height} pixels, more than {max_pixels:,}; scale it down first")


def decode_own(png: bytes) -> Pixels:
    """A picture that `encode_png` has written."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def _decoded(data: bytes, max_pixels: int, enough: int | None, turn: Turn) -> Photograph:
    if tiff.is_for_tifffile(data):
        width, height = tiff.size_of(data, max_pixels)
        check_pixels(width, height, max_pixels)
        turn.begin(width * height)
        return Photograph.of(tiff.decode(data))
    with Image.open(io.BytesIO(data), formats=_formats_of(data)) as image:
        width, height = image.size
        check_pixels(width, height, max_pixels)
        if image.format in ("JPEG", "MPO") and data.count(_START_OF_SCAN) > MAX_SCANS:
            raise NotAnImage(f"the JPEG has more than {MAX_SCANS} scans")
        if enough is not None and image.mode == "RGB":
            scale = enough / min(width, height)
            image.draft("RGB", (ceil(width * scale), ceil(height * scale)))
        turn.begin(image.width * image.height)
        image.load()
        turned = _turn_upright(image)
        opaque = _on_white(to_srgb(to_bytes(image)))
        return Photograph(opaque, (height, width) if turned else (width, height))


def _formats_of(data: bytes) -> tuple[str, ...]:
    """The formats that the file may have. What reads HEIC is imported with the first file that could be one."""
    if data[4:8] != _BOX:
        return FORMATS
    import pillow_heif

    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def _turn_upright(image: Image.Image) -> bool:
    """Apply the EXIF orientation in place; whether that is a turn by a quarter. Damaged EXIF data does not count."""
    try:
        turned: bool = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # noqa: BLE001 - a parser of what others wrote
        return False
    return turned


def _on_white(image: Image.Image) -> Image.Image:
    """The picture as RGB, what is transparent on white."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if not image.has_transparency_data:
        return image.convert("RGB")
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width)
    made = Image.new("RGB", image.size)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height))).convert("RGBA")
        made.paste(Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip).convert("RGB"), (0, top))
    return made
