"""Boxes and masks, in pixels of the photograph, as the network sees them."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.errors import InvalidParameter, NotAnImage
from service.networks.network import Network
from service.saliency.intake import Intake, read_and_fit
from service.saliency.metrics.region import region_of_box, region_of_mask, regions
from service.telemetry.timing import Stopwatch

BOX = (100.0, 20.0, 380.0, 250.0)


def taken(network: Network, photograph: bytes, resize: Any, max_side: int = 1024) -> Any:
    intake = Intake(resize, "exact", 10**7, max_side)
    return intake, *read_and_fit(network, [photograph], intake, Stopwatch())[0]


def mask_of(box: Any, size: tuple[int, int] = (451, 300)) -> bytes:
    image = Image.new("L", size)
    image.paste(255, tuple(map(int, box)))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("max_side", [1024, 200])  # of what is drawn: the photograph is scaled down for it
@pytest.mark.parametrize("resize", ["squash", "crop", "native"])
def test_a_box_holds_the_pixels_whose_centres_are_inside(
    network: Network, cat: bytes, resize: str, max_side: int
) -> None:
    _, photograph, fitted = taken(network, cat, resize, max_side)
    left, upper, right, lower = fitted.sent_box
    region = region_of_box(BOX, photograph, fitted)
    height, width = region.shape
    assert region.shape == fitted.pixels.shape[1:]
    for i, j in np.ndindex(height, width):
        x, y = left + (right - left) * (j + 0.5) / width, upper + (lower - upper) * (i + 0.5) / height
        assert region[i, j] == (BOX[0] <= x < BOX[2] and BOX[1] <= y < BOX[3])


@pytest.mark.parametrize("resize", ["squash", "crop", "native"])
def test_a_mask_says_the_same_as_its_box(network: Network, cat: bytes, resize: str) -> None:
    intake, photograph, fitted = taken(network, cat, resize)
    by_mask = region_of_mask(mask_of(BOX), network, photograph, fitted, intake)
    assert (by_mask != region_of_box(BOX, photograph, fitted)).mean() < 0.005  # they differ at the edge only


def test_each_photograph_has_its_own(network: Network, cat: bytes, coffee: bytes) -> None:
    intake = Intake("squash", "exact", 10**7, 1024)
    both = read_and_fit(network, [cat, coffee], intake, Stopwatch())
    assert regions([], network, both, intake) == [None, None]
    found = regions([BOX, (0.0, 0.0, 600.0, 400.0)], network, both, intake)
    assert found[1] is not None
    assert found[1].all()
    assert found[0] is not None
    assert found[0].mean() == pytest.approx(280 * 230 / (451 * 300), abs=0.01)


@pytest.mark.parametrize(
    "box", [(380, 20, 100, 250), (100, 20, 100, 250), (-1, 0, 10, 10), (0, 0, 452, 10), (0, 0, 10, 301)]
)
def test_boxes_that_are_none(network: Network, cat: bytes, box: Any) -> None:
    _, photograph, fitted = taken(network, cat, "squash")
    with pytest.raises(InvalidParameter, match="within the photograph, which has 451 x 300 pixels; it is"):
        region_of_box(box, photograph, fitted)


def test_what_the_network_does_not_see(network: Network, cat: bytes) -> None:
    intake, photograph, fitted = taken(network, cat, "crop")
    with pytest.raises(InvalidParameter, match=r"the box holds nothing of what the network sees.*resize=squash"):
        region_of_box((0, 0, 20, 20), photograph, fitted)
    with pytest.raises(InvalidParameter, match=r"the mask holds nothing .*white \(255\)"):
        region_of_mask(mask_of((0, 0, 20, 20)), network, photograph, fitted, intake)
    with pytest.raises(InvalidParameter, match="the mask has 300 x 451 pixels, the photograph 451 x 300"):
        region_of_mask(mask_of(BOX, (300, 451)), network, photograph, fitted, intake)
    with pytest.raises(NotAnImage):
        region_of_mask(b"white", network, photograph, fitted, intake)
