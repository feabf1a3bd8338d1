"""Moving pictures: what is seen, and that nobody's leaving is overlooked."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from service.errors import Abandoned
from service.pictures.animation import AnimationFormat, animate, total_pixels
from service.pictures.images import encode_png
from service.pictures.turns import Turn


def frames(number: int, side: int = 48) -> list[np.ndarray]:
    """Colourful pictures that grow brighter."""
    rows, columns = np.mgrid[:side, :side] / side
    return [
        (np.stack([rows, columns, 1 - rows], -1) * 255 * (i + 1) / number).round().astype(np.uint8)
        for i in range(number)
    ]


@pytest.mark.parametrize(("kind", "allowed"), [("gif", 8), ("webp", 4)])
def test_the_pictures_are_seen_one_after_the_other(kind: AnimationFormat, allowed: float) -> None:
    pictures = frames(12)
    with Turn() as turn:
        moving = animate([encode_png(picture) for picture in pictures], kind, 70, turn)
    shown, durations = [], []
    with Image.open(io.BytesIO(moving)) as animation:
        for frame in ImageSequence.Iterator(animation):
            shown.append(np.asarray(frame.convert("RGB"), float))
            durations.append(frame.info["duration"])
    assert durations == [70] * 11 + [2000]
    for found, picture in zip(shown, pictures, strict=True):
        assert np.abs(found - picture).mean() < allowed


def test_one_picture_is_an_animation_too() -> None:
    with Turn() as turn:
        moving = animate([encode_png(frames(1)[0])], "gif", 70, turn)
    assert Image.open(io.BytesIO(moving)).size == (48, 48)


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_it_ends_when_nobody_waits_any_more(kind: AnimationFormat) -> None:
    calls = iter([None] * 5)

    def check() -> None:
        if next(calls, "gone"):
            raise Abandoned("nobody waits")

    with Turn(check) as turn, pytest.raises(Abandoned):
        animate([encode_png(picture) for picture in frames(12)], kind, 70, turn)


def test_its_cost_is_known_before() -> None:
    assert total_pixels([encode_png(picture) for picture in frames(3, 20)]) == 3 * 20 * 20
