"""Class activation maps against loops in float64 on a network with a known formula."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import zoom

from tests.attribution.conftest import Toy
from tests.attribution.test_methods import CLASS, close, run


def scaled(small: Any, size: tuple[int, int] = (10, 12)) -> Any:
    return zoom(small, (12 / size[0], 14 / size[1]), order=1, mode="nearest", grid_mode=True)


def component(values: Any) -> Any:
    """Values (C, h, w) along the direction of their largest variance."""
    columns = values.reshape(len(values), -1)
    directions = np.linalg.eigh(np.cov(columns))[1]
    along = directions[:, -1] @ (columns - columns.mean(axis=1, keepdims=True))
    along = along.reshape(values.shape[1:])
    return along * np.sign((along * values.sum(axis=0)).sum())


def by_axioms(maps: Any, gradients: Any) -> Any:
    weights = [(m * g).sum() / m.sum() for m, g in zip(maps, gradients, strict=True)]
    return sum(weight * m for weight, m in zip(weights, maps, strict=True))


FORMULAS: dict[str, Callable[[Any, Any], Any]] = {
    "hires_cam": lambda maps, gradients: (maps * gradients).sum(axis=0),
    "grad_cam_elementwise": lambda maps, gradients: (maps * gradients).clip(0).sum(axis=0),
    "xgrad_cam": by_axioms,
    "eigen_cam": lambda maps, _: component(maps),
    "eigen_grad_cam": lambda maps, gradients: component(maps * gradients),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_what_becomes_of_maps_and_gradients(toy: Toy, image: Any, name: str) -> None:
    expected = FORMULAS[name](toy.maps(image), toy.heads[CLASS])
    close(run(toy, image, name).map, scaled(expected.clip(0)))


def test_finer_cam_takes_away_what_similar_classes_share(toy: Toy, image: Any) -> None:
    logits = toy.logits64(image)
    nearest = min({0, 2}, key=lambda k: abs(logits[k] - logits[CLASS]))
    gradients = toy.heads[CLASS] - 0.6 * toy.heads[nearest]
    expected = (gradients.mean(axis=(1, 2), keepdims=True) * toy.maps(image)).sum(axis=0)
    close(run(toy, image, "finer_cam", similar=1, alpha=0.6).map, scaled(expected.clip(0)))


def test_score_cam(toy: Toy, image: Any) -> None:
    maps = toy.maps(image)
    masks = [scaled((m - m.min()) / (m.max() - m.min())) for m in maps]
    scores = np.exp([toy.logits64(mask * image)[CLASS] for mask in masks])
    expected = sum(score * m for score, m in zip(scores / scores.sum(), maps, strict=True))
    close(run(toy, image, "score_cam").map, scaled(expected.clip(0)))


def test_score_cam_tries_the_maps_with_the_largest_range(toy: Toy, image: Any) -> None:
    best = max(toy.maps(image), key=lambda m: m.max() - m.min())
    found = run(toy, image, "score_cam", channels=1)
    close(found.map, scaled(best))
    assert found.notes == {"samples": 1}


def test_ablation_cam(toy: Toy, image: Any) -> None:
    maps = toy.maps(image)
    whole = toy.logits64(image)[CLASS]
    falls = [(toy.heads[CLASS][k] * maps[k]).sum() / abs(whole) for k in range(4)]
    expected = sum(fall * m for fall, m in zip(falls, maps, strict=True))
    close(run(toy, image, "ablation_cam").map, scaled(expected.clip(0)))
