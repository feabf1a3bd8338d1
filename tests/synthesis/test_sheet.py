"""Several pictures on one sheet are made as each of them alone would be."""

from typing import Any

import numpy as np
import pytest

from service.synthesis.parametrization import Fourier, Parametrization, Phases, Pixels
from service.synthesis.sheet import Each, Several, Sheet
from service.synthesis.transforms import Jitter, Transform, Wobble

SIZE = (12, 10)


def random(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).random(shape)


@pytest.mark.parametrize(("number", "grid"), [(1, (1, 1)), (2, (1, 2)), (3, (2, 2)), (5, (2, 3)), (9, (3, 3))])
def test_pictures_stand_row_by_row(number: int, grid: tuple[int, int]) -> None:
    sheet, pictures = Sheet(number, SIZE), random(number, 3, *SIZE)
    joined = sheet.join(pictures)
    assert joined.shape == (3, grid[0] * 12, grid[1] * 10)
    for i in range(number):
        y, x = i // grid[1] * 12, i % grid[1] * 10
        np.testing.assert_array_equal(joined[:, y : y + 12, x : x + 10], pictures[i])
    assert joined.sum() == pytest.approx(pictures.sum())  # the rest is black
    np.testing.assert_array_equal(sheet.split(joined), pictures)


@pytest.mark.parametrize(
    "one", [Pixels(SIZE, "uniform", 2, 0.5), Fourier(SIZE), Phases(SIZE)], ids=lambda p: type(p).__name__
)
def test_each_picture_has_numbers_of_its_own(one: Parametrization) -> None:
    sheet = Sheet(3, SIZE)
    several, rng, alone = Several(one, sheet), np.random.default_rng(0), np.random.default_rng(0)
    z = several.start(rng)
    images = sheet.split(several.image(z))
    gradient = random(3, 24, 20)
    pulled, kept = several.pull_back(z, several.image(z), gradient), several.constrain(z, 2)
    for i in range(3):
        np.testing.assert_array_equal(z[i], one.start(alone))
        np.testing.assert_array_equal(images[i], one.image(z[i]))
        np.testing.assert_array_equal(pulled[i], one.pull_back(z[i], images[i], sheet.split(gradient)[i]))
        np.testing.assert_array_equal(kept[i], one.constrain(z[i], 2))


@pytest.mark.parametrize("transform", [Jitter(4), Wobble(SIZE, 2, (0.9, 1.1), 10)], ids=lambda t: type(t).__name__)
def test_each_picture_is_transformed_by_itself(transform: Transform) -> None:
    sheet, image, gradient = Sheet(3, SIZE), random(3, 24, 20), random(3, 24, 20) - 0.5
    drawn = Each(transform, sheet).draw(np.random.default_rng(1))
    rng = np.random.default_rng(1)
    alone = [transform.draw(rng) for _ in range(3)]
    expected = [map_.apply(x) for map_, x in zip(alone, sheet.split(image), strict=True)]
    np.testing.assert_array_equal(sheet.split(drawn.apply(image)), expected)
    back = [map_.adjoint(x) for map_, x in zip(alone, sheet.split(gradient), strict=True)]
    np.testing.assert_array_equal(sheet.split(drawn.adjoint(gradient)), back)
