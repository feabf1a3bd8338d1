"""Colour management: pictures in whatever space as sRGB."""

import io
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from service.pictures.strips import Numbers, by_strips

MAX_PROFILE_BYTES = 4 * 2**20
_SRGB_GAMMA, _SRGB_PRIMARIES = 1 / 2.2, (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_NEAR = 0.005  # of gamma and primaries
_SAME_LEVELS = 1
Matrix = npt.NDArray[np.float64]


def to_srgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB, with its transparency; unchanged if it has no profile, a broken one, or that of sRGB."""
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and 128 <= len(profile) <= MAX_PROFILE_BYTES:
        return _by_profile(image, profile)
    if image.info.get("srgb") is None and ("gamma" in image.info or "chromaticity" in image.info):
        return _by_gamma(image)
    return image


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    colours, alpha = _separated(image)
    transform = _transform(profile, colours.mode)
    if transform is None:
        return image
    made = ImageCms.applyTransform(colours, transform)
    assert made is not None
    return _joined(made, alpha)


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform to sRGB; None if the profile is broken, does not fit the mode, or changes nothing."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        made = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        trial = _trial(mode)
        found = ImageCms.applyTransform(trial, made)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if found is None:
        return None
    change = np.abs(np.asarray(found, np.int16) - np.asarray(trial.convert("RGB"), np.int16)).max()
    return made if mode == "CMYK" or change > _SAME_LEVELS else None


def _trial(mode: str) -> Image.Image:
    """A picture with colours all over the cube, to see what a transform does."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    channels = len(Image.getmodebands(mode) * "x")
    grid = np.stack(np.meshgrid(*[levels] * channels, indexing="ij"), axis=-1).reshape(1, -1, channels)
    return Image.fromarray(grid, mode)


def _by_gamma(image: Image.Image) -> Image.Image:
    """Apply the gamma and the primaries that a PNG states without a profile (its chunks gAMA and cHRM)."""
    gamma = float(image.info.get("gamma", _SRGB_GAMMA))
    primaries = tuple(image.info.get("chromaticity", _SRGB_PRIMARIES))
    usual_primaries = bool(np.allclose(primaries, _SRGB_PRIMARIES, atol=_NEAR))
    if not 0.05 < gamma < 5 or len(primaries) != 8 or (usual_primaries and abs(gamma - _SRGB_GAMMA) < _NEAR):
        return image
    colours, alpha = _separated(image)
    levels = np.arange(256) / 255
    linear = _srgb_to_linear(levels) if abs(gamma - _SRGB_GAMMA) < _NEAR else levels ** (1 / gamma)
    if usual_primaries:
        table = (_linear_to_srgb(linear) * 255 + 0.5).astype(np.uint8).tolist()
        return _joined(colours.point(table * len(colours.getbands())), alpha)
    try:
        matrix = np.linalg.inv(_to_xyz(_SRGB_PRIMARIES)) @ _to_xyz(primaries)
    except np.linalg.LinAlgError:
        return image

    def converted(part: Numbers) -> Numbers:
        return _linear_to_srgb((linear[part] @ matrix.T).clip(0, 1)) * 255 + 0.5

    return _joined(Image.fromarray(by_strips(np.asarray(colours.convert("RGB")), converted)), alpha)


def _to_xyz(primaries: tuple[float, ...]) -> Matrix:
    """From linear RGB to XYZ, by the chromaticities of white, red, green and blue."""
    xy = np.array(primaries, np.float64).reshape(4, 2)
    xyz = np.column_stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(axis=1)) / xy[:, 1]])
    white, columns = xyz[0], xyz[1:].T
    return columns * np.linalg.solve(columns, white)


def _srgb_to_linear(values: Matrix) -> Matrix:
    """IEC 61966-2-1."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _linear_to_srgb(values: Matrix) -> Matrix:
    """IEC 61966-2-1."""
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def _separated(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours (RGB, L or CMYK) and the transparency, if there is any."""
    if image.has_transparency_data:
        grey = image.mode in ("L", "LA")
        whole = image.convert("LA" if grey else "RGBA")
        return whole.convert("L" if grey else "RGB"), whole.getchannel("A")
    return (image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")), None


def _joined(colours: Image.Image, alpha: Image.Image | None) -> Image.Image:
    if alpha is not None:
        colours.putalpha(alpha)
    return colours
