"""Pictures to be sent: files, open files, Pillow images and arrays become bytes."""

import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .needs import needed

Photograph = Any  # bytes, the path of a file, an open file, a Pillow image, or an array of bytes (H, W, 3) or (H, W)
Photographs = Any  # one, or a list or tuple of them
Beside = Mapping[str, Photographs]  # pictures beside photographs, by the names of their fields

_FILES = (bytes, bytearray, memoryview, str, os.PathLike)
_LOSSLESS = {"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"}  # modes that PNG holds


def listed(photographs: Photographs) -> list[Photograph]:
    """One photograph is a list of one."""
    is_one = isinstance(photographs, _FILES) or hasattr(photographs, "read") or hasattr(photographs, "shape")
    return [photographs] if is_one or not isinstance(photographs, Iterable) else list(photographs)


def encoded(photograph: Photograph) -> bytes:
    """The bytes of the file that the photograph is, or becomes.

    Raises:
        OSError: The file cannot be read.
        TypeError: This is no photograph.
        ModuleNotFoundError: An array needs Pillow.
    """
    match photograph:
        case bytes() | bytearray() | memoryview():
            return bytes(photograph)
        case str() if "://" in photograph:
            raise TypeError(
                f"{photograph!r} is an address; the service loads nothing from elsewhere, so send the bytes"
            )
        case str() | os.PathLike():
            return Path(photograph).read_bytes()
    if hasattr(photograph, "read"):
        return _read(photograph)
    if hasattr(photograph, "save") and hasattr(photograph, "mode"):
        return _png(photograph)
    if hasattr(photograph, "__array__"):
        return _png(_of_array(photograph))
    raise TypeError(f"a {type(photograph).__name__} is no photograph: send bytes, a path, a Pillow image or an array")


def _read(file: Any) -> bytes:
    content = file.read()
    if not isinstance(content, bytes):
        raise TypeError("the file must be opened for bytes, with the mode 'rb'")
    return content


def _png(image: Any) -> bytes:
    """A Pillow image as it is seen, without the orientation that its file may have told."""
    kept = {} if image.mode in _LOSSLESS else {"icc_profile": None}
    written = io.BytesIO()
    (image if image.mode in _LOSSLESS else image.convert("RGB")).save(written, "PNG", exif=b"", **kept)
    return written.getvalue()


def _of_array(array: Any) -> Any:
    """A Pillow image of an array. Raises `TypeError` for one that is no picture."""
    values = needed("numpy").asarray(array)
    is_picture = values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (3, 4))
    if values.dtype != "uint8" or not is_picture:
        raise TypeError(
            f"an array of {values.dtype} with the shape {values.shape} is no photograph: "
            "send uint8 from 0 to 255, (H, W, 3) or (H, W)"
        )
    return needed("PIL.Image").fromarray(values)
