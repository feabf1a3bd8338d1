"""Non-negative matrix factorization against a loop over single numbers, and against known factors."""

from typing import Any

import numpy as np
import pytest

from service.attribution.factors import MAX_ITERATIONS, Factors, factorize
from service.attribution.method import Stepwise


def factors(values: Any, number: int) -> Factors:
    return Stepwise(factorize(values, number)).finish()


def parts(seed: int, places: int = 40, channels: int = 25, number: int = 3) -> tuple[Any, Any]:
    """Factors that share neither places nor channels, with some of each of them to themselves."""
    rng = np.random.default_rng(seed)
    strengths, directions = rng.random((places, number)), rng.random((number, channels))
    strengths *= np.arange(places)[:, None] % number == np.arange(number)
    directions *= np.arange(channels) % number == np.arange(number)[:, None]
    return strengths, directions


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(40, 25), (12, 50)])
def test_known_factors_are_found(seed: int, shape: tuple[int, int]) -> None:
    strengths, directions = parts(seed, *shape)
    found = factors(strengths @ directions, 3)
    similarity = found.directions @ (directions / np.linalg.norm(directions, axis=1, keepdims=True)).T
    np.testing.assert_allclose(np.sort(similarity.max(axis=1)), 1, atol=1e-6)
    assert sorted(similarity.argmax(axis=1)) == [0, 1, 2]
    assert found.relative_error < 1e-2
    np.testing.assert_allclose(found.strengths @ found.directions, strengths @ directions, atol=1e-2)


def test_no_single_number_can_be_improved() -> None:
    """With all others fixed, each number is at its best, none below 0."""
    values = np.random.default_rng(1).gamma(0.5, size=(30, 20))
    found = factors(values, 4)
    u, v = found.strengths, found.directions
    error = float(np.linalg.norm(values - u @ v))
    assert found.relative_error == pytest.approx(error / np.linalg.norm(values), rel=1e-9)
    assert u.min() >= 0
    assert v.min() >= 0
    for p, k in np.ndindex(*u.shape):
        left = values[p] - sum(u[p, m] * v[m] for m in range(4) if m != k)
        best = max(0.0, float(left @ v[k] / (v[k] @ v[k])))
        assert u[p, k] == pytest.approx(best, abs=5e-3 * u.max())
    for k, c in np.ndindex(*v.shape):
        left = values[:, c] - sum(v[m, c] * u[:, m] for m in range(4) if m != k)
        best = max(0.0, float(left @ u[:, k] / (u[:, k] @ u[:, k])))
        assert v[k, c] == pytest.approx(best, abs=5e-3 * v.max())


def test_more_factors_leave_less_over() -> None:
    values = np.random.default_rng(2).gamma(0.5, size=(30, 20))
    errors = [factors(values, k).relative_error for k in (1, 2, 4, 8, 20)]
    assert errors == sorted(errors, reverse=True)
    best = np.linalg.svd(values, compute_uv=False)  # of all matrices of that rank, whatever their signs
    for k, error in zip((1, 2, 4, 8), errors, strict=False):
        assert error >= np.linalg.norm(best[k:]) / np.linalg.norm(values) - 1e-12
    assert errors[0] == pytest.approx(np.linalg.norm(best[1:]) / np.linalg.norm(values), rel=1e-6)  # Perron-Frobenius


def test_directions_are_of_length_one_and_the_same_each_time() -> None:
    values = np.random.default_rng(3).random((30, 20))
    one, other = factors(values, 5), factors(values.copy(), 5)
    np.testing.assert_allclose(np.linalg.norm(one.directions, axis=1), 1)
    np.testing.assert_array_equal(one.directions, other.directions)
    np.testing.assert_array_equal(one.strengths, other.strengths)


@pytest.mark.parametrize("values", [np.zeros((6, 4)), np.eye(6, 4), np.ones((6, 4))], ids=["nothing", "few", "flat"])
def test_what_has_fewer_factors_than_asked_for(values: Any) -> None:
    found = factors(values, 4)
    assert np.isfinite(found.strengths).all()
    assert np.isfinite(found.directions).all()
    np.testing.assert_allclose(found.strengths @ found.directions, values, atol=0.02)
    assert found.relative_error < 0.02


def test_progress_goes_up_and_ends() -> None:
    progress = list(factorize(np.random.default_rng(4).random((30, 20)), 3))
    assert progress == sorted(progress)
    assert len(progress) <= MAX_ITERATIONS
