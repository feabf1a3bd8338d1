"""Pixels wider than a byte, as bytes."""

import numpy as np
from PIL import Image, TiffTags

from service.errors import NotAnImage
from service.pictures.strips import Bytes, Numbers, by_strips, strips

_WHITE_IS_ZERO = 0
_UNSIGNED = 1


def to_bytes(image: Image.Image) -> Image.Image:
    """The picture with at most a byte a channel; unchanged if it has no more.

    16 bits are the range of 16 bits. Other integers and floats have no fixed range: see `in_range`.
    """
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint16, copy=False)
        grey = Image.fromarray(by_strips(values, lambda part: from_16_bits(_inverted(image, part, 2**16 - 1))))
        transparent = image.info.get("transparency")
        if isinstance(transparent, int):
            grey.putalpha(Image.fromarray(by_strips(values, lambda part: np.where(part == transparent, 0, 255))))
        return _with_info(grey, image)
    if image.mode == "I":
        values = np.asarray(image)
        if _tag(image, "SampleFormat") == _UNSIGNED and _tag(image, "BitsPerSample") == 32:
            values = values.view(np.uint32)
        if values.min(initial=0) >= 0 and values.max(initial=0) < 2**16:
            return _with_info(Image.fromarray(by_strips(values, from_16_bits)), image)
        return _with_info(Image.fromarray(in_range(values)), image)
    if image.mode == "F":
        return _with_info(Image.fromarray(in_range(np.asarray(image))), image)
    return image


def from_16_bits(values: Numbers) -> Bytes:
    """The range of 16 bits as that of a byte."""
    made: Bytes = (values / 257 + 0.5).astype(np.uint8)
    return made


def in_range(values: Numbers) -> Bytes:
    """Numbers as bytes: those within [0, 1] as they are, others from their smallest to their largest finite one.

    What is no number is black, infinite pixels are as dark or as bright as can be. Raises `NotAnImage` if there is no
    finite number.
    """
    finite = (part[np.isfinite(part)] for part in strips(values))
    ends = [(float(part.min()), float(part.max())) for part in finite if part.size]
    if not ends:
        raise NotAnImage("no pixel of the picture is a finite number")
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0

    def scaled(part: Numbers) -> Numbers:
        found = np.nan_to_num(part.astype(np.float64), nan=low, posinf=high, neginf=low)
        return ((found - low) * (255 / max(high - low, 1e-300)) + 0.5).clip(0, 255)

    return by_strips(values, scaled)


def _inverted(image: Image.Image, values: Numbers, white: int) -> Numbers:
    return white - values if _tag(image, "PhotometricInterpretation") == _WHITE_IS_ZERO else values


def _tag(image: Image.Image, name: str) -> int | None:
    """The first number of a TIFF tag; None for other formats."""
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return None
    number = next((number for number, tag in TiffTags.TAGS_V2.items() if tag.name == name), None)
    value = tags.get(number)
    first = value[0] if isinstance(value, tuple) else value
    return None if first is None else int(first)


def _with_info(made: Image.Image, source: Image.Image) -> Image.Image:
    """The picture with the profile of its source."""
    made.info.update({key: source.info[key] for key in ("icc_profile", "gamma", "chromaticity") if key in source.info})
    return made
