"""A picture of two shapes, and where the map of an explanation is in it."""

import io
from typing import Any

import httpx
import numpy as np
from PIL import Image, ImageDraw

UNIT = {"preprocessing": "unit"}
DISC, SQUARE = (10, 30, 60, 80), (120, 60, 180, 110)  # a red disc and a blue square, left, upper, right, lower
SIZE = (200, 120)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def drawn() -> bytes:
    image = Image.new("RGB", SIZE, (40, 40, 40))
    draw = ImageDraw.Draw(image)
    draw.ellipse(DISC, fill=(230, 20, 20))
    draw.rectangle(SQUARE, fill=(20, 20, 230))
    return png(image)


def explained(client: httpx.Client, data: bytes, **parameters: Any) -> Any:
    response = client.post(
        "/saliency", files={"image": data}, params=parameters, headers={"Accept": "application/x-npy"}
    )
    assert response.status_code == 200, response.text
    return np.load(io.BytesIO(response.content))


def inside(heat: Any, box: tuple[int, int, int, int], margin: int = 6) -> float:
    """The share of a map (64, 64) that is in a box of the picture."""
    left, right = ((edge + sign * margin) * 64 / SIZE[0] for edge, sign in ((box[0], -1), (box[2], 1)))
    upper, lower = ((edge + sign * margin) * 64 / SIZE[1] for edge, sign in ((box[1], -1), (box[3], 1)))
    part = heat[int(max(upper, 0)) : int(lower) + 1, int(max(left, 0)) : int(right) + 1]
    return float(np.abs(part).sum() / np.abs(heat).sum())
