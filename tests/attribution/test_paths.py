"""Gradients along paths, and over many of them, against loops in float64."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from service.attribution.baselines import baseline
from service.attribution.paths import BASELINES
from tests.attribution.conftest import Toy
from tests.attribution.test_methods import CLASS, close, noisy_gradients, run


def test_smoothgrad_squared(toy: Toy, image: Any) -> None:
    found = run(toy, image, "smoothgrad_squared", samples=5, noise=0.2, seed=3).map
    close(found, (noisy_gradients(toy, image, 5, 0.2, 3) ** 2).mean(axis=0).max(axis=0))


def test_gradient_shap_is_complete_in_the_mean(image: Any) -> None:
    toy = Toy(smooth=True)
    found = run(toy, image, "gradient_shap", samples=1000)
    starts = [baseline(image, fill) for fill in BASELINES]
    gained = toy.logits64(image)[CLASS] - np.mean([toy.logits64(start)[CLASS] for start in starts])
    assert found.notes["score_difference"] == pytest.approx(gained, rel=1e-4)
    assert found.map.sum() == pytest.approx(gained, abs=0.1 * float(np.abs(found.map).sum()))
    finely = np.mean(
        [
            [toy.gradient(start + (k + 0.5) / 20 * (image - start), CLASS) * (image - start) for k in range(20)]
            for start in starts
        ],
        axis=(0, 1),
    ).sum(axis=0)
    assert np.linalg.norm(found.map - finely) < 0.1 * np.linalg.norm(finely)


def test_gradient_shap_needs_as_many_samples_as_it_is_told(toy: Toy, image: Any) -> None:
    rough = run(toy, image, "gradient_shap", samples=1000, tolerance=0.5)
    assert rough.notes["samples"] < 1000
    assert rough.notes["relative_error"] <= 0.5


def test_idgi(toy: Toy, image: Any) -> None:
    start, steps = baseline(image, "grey"), 20
    points = [start + k / steps * (image - start) for k in range(steps + 1)]
    expected = np.zeros(image.shape[1:])
    for here, there in pairwise(points):
        squares = (toy.gradient(here, CLASS) ** 2).sum(axis=0)
        expected += squares / squares.sum() * (toy.logits64(there) - toy.logits64(here))[CLASS]
    found = run(toy, image, "idgi", steps=steps, baseline="grey")
    close(found.map, expected)
    assert found.notes["completeness_error"] == pytest.approx(0, abs=1e-4 * abs(expected).sum())


def guided_path(toy: Toy, image: Any, steps: int, fraction: float, anchors: float) -> Any:
    """The attribution (3, H, W) by the definition, one value of the picture after the other."""
    here, there = np.zeros(image.size), image.astype(np.float64).ravel()
    found = np.zeros(image.size)
    for k in range(1, steps + 1):
        gradients = toy.gradient(here.reshape(image.shape).astype(np.float32), CLASS).ravel()
        low, high = max(k / steps - anchors, 0) * there, min(k / steps + anchors, 1) * there
        moved = np.maximum(here, low)
        goal = (1 - k / steps) * there.sum()
        while (left := (there - moved).sum() - goal) > 1e-9:
            waiting = [i for i in range(image.size) if moved[i] < high[i]]
            least = sorted(abs(gradients[i]) if i in waiting else np.inf for i in range(image.size))
            limit = least[int(fraction * (len(least) - 1))]
            chosen = [i for i in waiting if abs(gradients[i]) <= limit]
            share = min(1, left / sum(high[i] - moved[i] for i in chosen))
            for i in chosen:
                moved[i] = high[i] if share == 1 else moved[i] + share * (high[i] - moved[i])
        found += gradients * (moved - here)
        here = moved
    return found.reshape(image.shape)


def test_guided_integrated_gradients(toy: Toy, image: Any) -> None:
    found = run(toy, image, "guided_integrated_gradients", steps=8, fraction=0.3, anchors=0.1)
    expected = guided_path(toy, image, 8, 0.3, 0.1)
    close(found.map, expected.sum(axis=0))


def test_a_guided_path_ends_at_the_picture(image: Any) -> None:
    toy = Toy(smooth=True)
    found = run(toy, image, "guided_integrated_gradients", steps=200, baseline="mean", anchors=1)
    assert abs(found.notes["completeness_error"]) < 0.02 * np.abs(found.map).sum()
    straight = run(toy, image, "integrated_gradients", steps=200, baseline="mean")
    assert np.linalg.norm(found.map - straight.map) > 0.02 * np.linalg.norm(straight.map)
