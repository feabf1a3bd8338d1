"""What the service makes: bytes as they came, that become pictures and arrays when asked, and show themselves."""

import base64
import io
from typing import Any

from .needs import needed

_MEDIA = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp", b"GIF8": "image/gif"}
_NPY = b"\x93NUMPY"
_SHOWN = ("image/png", "image/jpeg", "image/gif")  # by notebooks as they are
_HOTTEST = 99.5  # percentile of a map that gets the brightest colour, as in the pictures of the service


class Picture(bytes):
    """The file of a picture: `bytes` that can be written as they are."""

    @property
    def media_type(self) -> str:
        """What kind of file it is, ``image/png`` for instance."""
        return next((media for magic, media in _MEDIA.items() if self.startswith(magic)), "application/octet-stream")

    def pillow(self) -> Any:
        """A Pillow image. Raises `ModuleNotFoundError` where Pillow is not installed."""
        return needed("PIL.Image").open(io.BytesIO(self))

    def array(self) -> Any:
        """A NumPy array of bytes, (H, W, 3) for colours. Needs NumPy and Pillow."""
        return needed("numpy").asarray(self.pillow())

    def __repr__(self) -> str:
        """Not the bytes."""
        return f"<Picture, {self.media_type}, {len(self):,} bytes>"

    __str__ = __repr__  # that of `bytes` has them all

    @property
    def data_url(self) -> str:
        """The picture as an address, for HTML."""
        return f"data:{self.media_type};base64,{base64.b64encode(self).decode()}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002 - IPython's
        if self.media_type in _SHOWN:
            return {self.media_type: base64.b64encode(self).decode(), "text/plain": repr(self)}
        return {"text/html": f'<img src="{self.data_url}" alt="">', "text/plain": repr(self)}


class Map(bytes):
    """Raw numbers of a map: the bytes of a file in NumPy's format .npy, float32, not normalized."""

    def array(self) -> Any:
        """A NumPy array, (H, W) for a saliency map. Raises `ModuleNotFoundError` where NumPy is not installed."""
        return needed("numpy").load(io.BytesIO(self), allow_pickle=False)

    def pillow(self) -> Any:
        """A Pillow image of the sizes of the values, dark to bright. Needs NumPy and Pillow.

        Raises `ValueError` for what is not (H, W). `Client.overlay` gives the service's own colours.
        """
        numpy, values = needed("numpy"), abs(self.array())
        if values.ndim != 2:
            raise ValueError(f"numbers of the shape {values.shape} are no picture")
        hottest = numpy.percentile(values, _HOTTEST) or values.max() or 1
        grey = needed("PIL.Image").fromarray((255 * (values / hottest).clip(0, 1)).round().astype("uint8"))
        return needed("PIL.ImageOps").colorize(grey, black="#000004", mid="#bb3754", white="#fcffa4")

    def __repr__(self) -> str:
        """Not the bytes."""
        return f"<Map, {len(self):,} bytes>"

    __str__ = __repr__

    def _repr_png_(self) -> bytes | None:
        """The picture, for notebooks; none without NumPy and Pillow."""
        try:
            image = self.pillow()
        except (ModuleNotFoundError, ValueError):
            return None
        written = io.BytesIO()
        image.save(written, "PNG")
        return written.getvalue()


def made(content: bytes) -> Picture | Map | bytes:
    """The content as what it is."""
    if content.startswith(_NPY):
        return Map(content)
    picture = Picture(content)
    return picture if picture.media_type.startswith("image/") else content
