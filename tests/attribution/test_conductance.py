"""Conductance against a loop in float64, its integral in closed form, and what it promises."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from service.attribution import ValueAndGrad
from service.attribution.conductance import Conductance, conductance
from service.attribution.method import Stepwise
from tests.attribution.conftest import Toy


class Cubic(Toy):
    """The scores are sums over the neurons m of head · m³, so that the conductance of each is known."""

    def logits64(self, image: Any) -> Any:
        return (self.heads * self.maps(image) ** 3).sum(axis=(1, 2, 3))

    def slopes(self, image: Any, class_id: int) -> Any:
        return 3 * self.heads[class_id] * self.maps(image) ** 2

    def value_and_grad(self, images: Any, class_ids: Any, *rest: Any, layer: str | None = None) -> ValueAndGrad:
        found = super().value_and_grad(images, class_ids, layer=layer)
        slopes = [self.slopes(image, c) for image, c in zip(images, found.class_ids, strict=True)]
        return replace(found, gradients=np.stack(slopes).astype(np.float32))


class Halved(Cubic):
    """The score is taken before a final Relu wherever it is not above 0, as a real network tells."""

    bias = 0.0

    def logits64(self, image: Any) -> Any:
        return super().logits64(image) - self.bias

    def value_and_grad(self, images: Any, class_ids: Any, *rest: Any, layer: str | None = None) -> ValueAndGrad:
        found = super().value_and_grad(images, class_ids, layer=layer)
        return replace(found, before_relu=found.scores <= 0)


def run(subject: Any, image: Any, start: Any, steps: int, class_id: int = 1) -> Conductance:
    return Stepwise(conductance(subject, image, class_id, "maps", start, steps)).finish()


@pytest.mark.parametrize("steps", [1, 2, 16, 17, 40])
def test_conductance_is_its_sum_over_the_path(image: Any, steps: int) -> None:
    toy, start = Cubic(), np.full_like(image, 0.2)
    expected = np.zeros((4, 10, 12))
    points = [start + np.float32(i / steps) * (image - start) for i in range(steps + 1)]
    for before, after in pairwise(points):
        mean = (toy.slopes(before, 1) + toy.slopes(after, 1)) / 2
        expected += mean * (toy.maps(after) - toy.maps(before))
    found = run(toy, image, start, steps)
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(found.channels, expected.sum(axis=(1, 2)), rtol=1e-3)
    assert toy.images_seen == steps + 1


def test_conductance_tends_to_its_integral(image: Any) -> None:
    toy, start = Cubic(), np.zeros_like(image)
    exact = toy.heads[1] * (toy.maps(image) ** 3 - toy.maps(start) ** 3)
    errors = [np.abs(run(toy, image, start, steps).values - exact).max() for steps in (10, 100, 1000)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert errors[2] < 1e-4 * np.abs(exact).max()


def test_it_sums_up_to_the_difference_of_the_scores(image: Any) -> None:
    toy, start = Cubic(), np.full_like(image, 0.5)
    found = run(toy, image, start, 300, -1)
    class_id = int(toy.logits64(image).argmax())
    assert int(found.at.class_ids[0]) == class_id
    assert found.difference == pytest.approx((toy.logits64(image) - toy.logits64(start))[class_id], rel=1e-5)
    assert abs(found.error) < 1e-3 * abs(found.difference)
    assert found.error == pytest.approx(found.channels.sum() - found.difference)


def test_nothing_is_passed_on_while_a_final_relu_is_off(image: Any) -> None:
    toy, start, steps = Halved(), np.zeros_like(image), 200
    class_id = int(toy.logits64(image).argmax())
    toy.bias = float(toy.logits64(image)[class_id]) / 2
    assert toy.bias > 0
    found = run(toy, image, start, steps, class_id)
    assert found.difference == pytest.approx(toy.bias, rel=1e-5)  # from 0, not from -bias
    expected = np.zeros((4, 10, 12))
    points = [image * np.float32(i / steps) for i in range(steps + 1)]
    slopes = [toy.slopes(point, class_id) * (toy.logits64(point)[class_id] > 0) for point in points]
    assert not slopes[steps // 2].any()
    for (before, after), (left, right) in zip(pairwise(points), pairwise(slopes), strict=True):
        expected += (left + right) / 2 * (toy.maps(after) - toy.maps(before))
    np.testing.assert_allclose(found.values, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
