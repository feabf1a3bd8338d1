"""Values of cells against their definitions: all orders, all sets, and a network whose cells do not interact."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from service.attribution.baselines import baseline
from service.attribution.segments import labelled
from service.pictures.decode import decode
from service.pictures.images import fit
from tests.attribution.conftest import Toy
from tests.attribution.test_methods import CLASS, close, run

CELLS = 2
QUARTERS = [np.s_[:, y : y + 6, x : x + 7] for y in (0, 6) for x in (0, 7)]


class Additive(Toy):
    """A network whose score is a weighted sum of pixels, without Relus."""

    def maps(self, image: Any) -> Any:
        return self.before(image)


def score(toy: Toy, image: Any, shown: Any) -> float:
    covered = baseline(image, "mean").astype(np.float64)
    for share, quarter in zip(shown, QUARTERS, strict=True):
        covered[quarter] += share * (image[quarter] - covered[quarter])
    return float(toy.logits64(covered)[CLASS])


def gains(toy: Toy, image: Any, order: Any) -> Any:
    found, shown = np.zeros(4), np.zeros(4)
    for cell in order:
        before = score(toy, image, shown)
        shown[cell] = 1
        found[cell] = score(toy, image, shown) - before
    return found


def shapley(toy: Toy, image: Any) -> Any:
    return np.mean([gains(toy, image, order) for order in permutations(range(4))], axis=0)


def of_cells(heat: Any) -> Any:
    """The value of each quarter, which is the same in all its pixels."""
    values = [heat[quarter[1:]] for quarter in QUARTERS]
    assert all((value == value[0, 0]).all() for value in values)
    return np.array([value[0, 0] for value in values])


def test_shapley_sampling_is_the_mean_over_its_orders(toy: Toy, image: Any) -> None:
    rng = np.random.default_rng(5)
    expected = np.mean([gains(toy, image, rng.permutation(4)) for _ in range(3)], axis=0)
    close(of_cells(run(toy, image, "shapley_sampling", cells=CELLS, permutations=3, seed=5).map), expected)


@pytest.mark.parametrize(
    ("name", "options"), [("shapley_sampling", {"permutations": 300}), ("kernel_shap", {"samples": 3000})]
)
def test_shapley_values_are_the_mean_over_all_orders(toy: Toy, image: Any, name: str, options: dict[str, int]) -> None:
    expected = shapley(toy, image)
    found = of_cells(run(toy, image, name, cells=CELLS, **options).map)
    assert found.sum() == pytest.approx(score(toy, image, np.ones(4)) - score(toy, image, np.zeros(4)), rel=1e-4)
    assert np.linalg.norm(found - expected) < 0.1 * np.linalg.norm(expected)
    print("relative error", np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("name", ["shapley_sampling", "kernel_shap"])
def test_cells_that_do_not_interact_have_exact_values(image: Any, name: str) -> None:
    toy = Additive()
    close(of_cells(run(toy, image, name, cells=CELLS).map), gains(toy, image, range(4)))


def test_lime_is_a_ridge_regression_near_the_picture(toy: Toy, image: Any) -> None:
    shown = (np.random.default_rng(2).random((40, 4)) < 0.5).astype(float)
    scores = np.array([score(toy, image, row) for row in shown])
    lengths = np.sqrt((shown**2).sum(axis=1))
    cosines = shown.sum(axis=1) / np.maximum(lengths * 2, 1e-12)
    roots = np.sqrt(np.exp(-((1 - cosines) ** 2) / 0.25**2))
    rows = np.column_stack([np.ones(40), shown]) * roots[:, None]
    ridge = np.column_stack([np.zeros(4), np.eye(4)])
    stacked = np.linalg.lstsq(np.vstack([rows, ridge]), np.append(scores * roots, np.zeros(4)), rcond=None)[0]
    close(of_cells(run(toy, image, "lime", cells=CELLS, samples=40, seed=2).map), stacked[1:])


def test_sobol_indices_of_cells_that_do_not_interact_are_shares_of_the_variance(image: Any) -> None:
    toy = Additive()
    squares = gains(toy, image, range(4)) ** 2
    found = of_cells(run(toy, image, "sobol", cells=CELLS, designs=256).map)
    np.testing.assert_allclose(found, squares / squares.sum(), atol=0.02)


def test_sobol_indices_count_interactions_for_each(toy: Toy, image: Any) -> None:
    """The total index of a cell by its definition: the variance that is left when all other cells are known."""
    rng = np.random.default_rng(0)
    others = rng.random((200, 4))
    expected = []
    for cell in range(4):
        left = []
        for row in others:
            along = [score(toy, image, np.where(np.arange(4) == cell, x, row)) for x in (np.arange(10) + 0.5) / 10]
            left.append(np.var(along))
        expected.append(np.mean(left))
    whole = np.var([score(toy, image, row) for row in rng.random((2000, 4))])
    found = of_cells(run(toy, image, "sobol", cells=CELLS, designs=512).map)
    np.testing.assert_allclose(found, np.array(expected) / whole, atol=0.05)


def test_hsic_is_the_trace_of_centred_kernels(toy: Toy, image: Any) -> None:
    shown = (np.random.default_rng(4).random((50, 4)) < 0.5).astype(float)
    scores = np.array([score(toy, image, row) for row in shown])
    squares = (scores[:, None] - scores) ** 2
    outputs, centre = np.exp(-squares / (2 * np.median(squares))), np.eye(50) - 1 / 50
    expected = []
    for column in shown.T:
        masks = np.where(column[:, None] == column, 0.5, -0.5)
        expected.append(np.trace(masks @ centre @ outputs @ centre) / 50**2)
    close(of_cells(run(toy, image, "hsic", cells=CELLS, samples=50, seed=4).map), np.array(expected))


def test_feature_ablation_covers_one_region_after_the_other(toy: Toy, image: Any) -> None:
    whole = score(toy, image, np.ones(4))
    expected = [whole - score(toy, image, 1 - row) for row in np.eye(4)]
    found = run(toy, image, "feature_ablation", cells=CELLS)
    close(of_cells(found.map), np.array(expected))
    assert found.notes == {"samples": 5, "regions": 4}


def test_superpixels_follow_the_edges_and_are_not_too_many(coffee: bytes) -> None:
    pixels = fit(decode(coffee, 10**7), (224, 224), 256 / 224, "squash").pixels
    found = labelled(pixels, "superpixels", 7)
    assert 20 < found.max() + 1 <= 49
    assert set(np.unique(found)) == set(range(found.max() + 1))
    cells = labelled(pixels, "cells", 7)

    def within(labels: Any) -> float:
        """The variance of the colours within the regions."""
        return float(sum(pixels[:, labels == k].var(axis=1).sum() * (labels == k).sum() for k in np.unique(labels)))

    assert within(found) < 0.7 * within(cells)


@pytest.mark.parametrize("shape", ["cells", "superpixels"])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 40), (40, 40)])
def test_there_is_more_than_one_region_in_any_picture(shape: Any, size: tuple[int, int]) -> None:
    flat = np.full((3, *size), 0.5, np.float32)
    found = labelled(flat, shape, 6)
    assert found.shape == size
    assert found.max() < 36
    assert set(np.unique(found)) == set(range(found.max() + 1))
    assert found.max() > 0 or size == (1, 1)


@pytest.mark.parametrize("name", ["lime", "kernel_shap", "shapley_sampling", "sobol", "hsic", "feature_ablation"])
def test_methods_take_superpixels(toy: Toy, image: Any, name: str) -> None:
    found = run(toy, image, name, regions="superpixels", cells=4)
    regions = labelled(image, "superpixels", 4)
    assert found.notes["regions"] == regions.max() + 1
    values = [found.map[regions == k] for k in range(regions.max() + 1)]
    assert all((value == value[0]).all() for value in values)
    assert len({float(value[0]) for value in values}) > 1
