"""Concept activation vectors against logistic regression in all dimensions, and against known directions."""

import inspect
from typing import Any

import numpy as np
import pytest
from scipy import stats

from service.attribution.method import Stepwise
from service.attribution.tcav import WEIGHT, Tcav, separated, tcav, welch


def newton(examples: Any, labels: Any, weight: float) -> tuple[Any, float]:
    """Logistic regression by Newton's method, sample by sample in float64."""
    dimensions = examples.shape[1]
    parameters = np.zeros(dimensions + 1)
    for _ in range(50):
        gradient, hessian = np.zeros(dimensions + 1), np.zeros((dimensions + 1, dimensions + 1))
        for row, label in zip(examples, labels, strict=True):
            x = np.append(row, 1.0)
            p = 1 / (1 + np.exp(label * (x @ parameters)))
            gradient += -label * p * x / len(labels)
            hessian += p * (1 - p) * np.outer(x, x) / len(labels)
        ridge = np.append(np.full(dimensions, weight), 0)
        parameters = parameters - np.linalg.solve(hessian + np.diag(ridge), gradient + ridge * parameters)
    return parameters[:-1], float(parameters[-1])


def run(examples: Any, gradients: Any, concepts: int, splits: int = 5, seed: int = 0) -> Tcav:
    return Stepwise(tcav(examples @ examples.T, gradients @ examples.T, concepts, splits, seed)).finish()


def data(
    seed: int, towards: float, concepts: int = 12, randoms: int = 20, dimensions: int = 60
) -> tuple[Any, Any, Any]:
    """Examples whose concept is a direction, gradients that go along it or not, and that direction."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=dimensions)
    direction /= np.linalg.norm(direction)
    examples = 5 + rng.normal(size=(concepts + randoms, dimensions))
    examples[:concepts] += 6 * direction
    gradients = rng.normal(size=(9, dimensions)) * 0.3 + towards * direction
    return examples, gradients, direction


def test_logistic_regression_is_that_of_newton() -> None:
    rng = np.random.default_rng(0)
    examples, labels = rng.normal(size=(30, 5)), np.repeat([1.0, -1.0], 15)
    examples[:15] += 0.7
    weights, offset = separated(examples, labels)
    expected = newton(examples, labels, WEIGHT)
    np.testing.assert_allclose(weights, expected[0], atol=1e-5)
    assert offset == pytest.approx(expected[1], abs=1e-5)


def test_directions_from_inner_products_are_those_of_all_dimensions() -> None:
    """One split, drawn again: scale and regression in 60 dimensions instead of the span of 32 examples."""
    examples, gradients, _ = data(1, 1.0)
    found = run(examples, gradients, 12, splits=1, seed=3)
    rng = np.random.default_rng(3)
    randoms = 12 + rng.permutation(20)
    concept = rng.permutation(12)
    scale = np.sqrt(((examples - examples.mean(axis=0)) ** 2).sum() / 32)
    seen = np.concatenate([concept[4:], randoms[:12][4:]])
    labels = np.repeat([1.0, -1.0], 8)
    weights, offset = newton((examples[seen] - examples.mean(axis=0)) / scale, labels, WEIGHT)
    np.testing.assert_allclose(found.sensitivities, gradients @ weights / np.linalg.norm(weights), atol=1e-5)
    held = np.concatenate([concept[:4], randoms[:4]])
    margins = ((examples[held] - examples.mean(axis=0)) / scale @ weights + offset) * np.repeat([1, -1], 4)
    assert found.accuracy == (margins > 0).mean()


@pytest.mark.parametrize(("towards", "score"), [(3.0, 1.0), (-3.0, 0.0)])
def test_a_class_that_a_concept_speaks_for_or_against(towards: float, score: float) -> None:
    examples, gradients, _ = data(2, towards)
    found = run(examples, gradients, 12, splits=20)
    np.testing.assert_array_equal(found.scores, score)
    assert found.p_value < 0.01
    assert found.accuracy > 0.95
    assert 0.25 < found.random_accuracy < 0.75
    assert np.sign(found.sensitivities.mean()) == np.sign(towards)
    assert 0.1 < found.random_scores.mean() < 0.9
    np.testing.assert_array_less(np.abs(found.sensitivities), np.linalg.norm(gradients, axis=1) + 1e-9)


def test_pictures_without_a_concept_say_nothing() -> None:
    p_values = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        examples, gradients = rng.normal(size=(40, 60)), rng.normal(size=(10, 60))
        p_values.append(run(examples, gradients, 13, splits=6).p_value)
    assert np.median(p_values) > 0.1


def test_scores_do_not_depend_on_the_scale_or_the_origin_of_activations() -> None:
    examples, gradients, _ = data(3, 0.1)
    one, other = run(examples, gradients, 12), run(1000 * examples + 7, gradients, 12)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_allclose(one.sensitivities, other.sensitivities, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("concepts", "randoms"), [(2, 4), (3, 6), (5, 50), (50, 5)])
def test_unequal_numbers_of_pictures(concepts: int, randoms: int) -> None:
    examples, gradients, _ = data(4, 3.0, concepts, randoms)
    found = run(examples, gradients, concepts, splits=3)
    assert found.scores.shape == found.random_scores.shape == (3,)
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_pictures_that_are_all_the_same() -> None:
    found = run(np.ones((12, 8)), np.ones((2, 8)), 4)
    np.testing.assert_array_equal(found.scores, 0)
    assert found.p_value == 1
    np.testing.assert_array_equal(found.sensitivities, 0)


@pytest.mark.parametrize("sizes", [(5, 5), (4, 9)])
def test_the_p_value_is_that_of_scipy(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    one, other = (rng.normal(size=size, scale=0.1 + i) for i, size in enumerate(sizes))
    assert welch(one, other) == pytest.approx(stats.ttest_ind(one, other, equal_var=False).pvalue, rel=1e-9)


def test_samples_without_variance() -> None:
    assert welch(np.ones(4), np.ones(4)) == 1
    assert welch(np.ones(4), np.zeros(4)) == 0


def test_progress_is_told_for_each_split() -> None:
    examples, gradients, _ = data(6, 1.0)
    steps = tcav(examples @ examples.T, gradients @ examples.T, 12, 4, 0)
    assert inspect.isgenerator(steps)
    assert list(steps) == [0.25, 0.5, 0.75, 1.0]
