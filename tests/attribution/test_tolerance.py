"""As many samples as a map needs: what the estimated error says, and where a method stops."""

from typing import Any

import numpy as np
import pytest

from service.attribution import METHODS
from service.attribution.baselines import baseline
from service.attribution.method import CHUNK, Stepwise
from service.attribution.perturbation import Windows
from tests.attribution.conftest import Toy

CLASS = 1
MOST = {"smoothgrad": "samples", "vargrad": "samples", "rise": "masks"}


def run(subject: Toy, image: Any, name: str, **parameters: Any) -> Any:
    method = METHODS[name]
    return method.run(subject, image, CLASS, method.parameters(**parameters))


def sampled(subject: Toy, image: Any, name: str, number: int, seed: int) -> Any:
    found = run(subject, image, name, seed=seed, **{MOST[name]: number})
    return found.map.astype(np.float64), found.notes


@pytest.mark.parametrize("name", ["vargrad", "rise"])
def test_the_estimated_error_is_the_error(image: Any, name: str) -> None:
    toy = Toy()
    truth, _ = sampled(toy, image, name, 1000, 99)
    if name == "rise":
        truth = np.mean([sampled(toy, image, name, 4000, 100 + i)[0] for i in range(3)], axis=0)
    found = [sampled(toy, image, name, 8 * CHUNK, seed) for seed in range(12)]
    real = np.sqrt(np.mean([np.square(map_ - truth).sum() for map_, _ in found])) / np.linalg.norm(truth)
    told = np.sqrt(np.mean([notes["relative_error"] ** 2 for _, notes in found]))
    assert told == pytest.approx(real, rel=0.3)


def test_the_estimated_error_of_a_mean_gradient_is_its_standard_error(toy: Toy, image: Any) -> None:
    rng = np.random.default_rng(0)
    copies = image + np.float32(0.15) * rng.standard_normal((64, *image.shape), np.float32)
    gradients = np.stack([toy.gradient(copy, CLASS) for copy in copies])
    standard = np.sqrt(gradients.var(axis=0, ddof=1).sum() / 64) / np.linalg.norm(gradients.mean(axis=0))
    assert run(toy, image, "smoothgrad", samples=64).notes["relative_error"] == pytest.approx(standard, rel=0.2)


@pytest.mark.parametrize("name", MOST)
def test_sampling_stops_where_the_error_is_small_enough(toy: Toy, image: Any, name: str) -> None:
    most = MOST[name]
    toy.heads *= 1 / 60  # scores that do not saturate the probabilities
    whole = run(toy, image, name, **{most: 640})
    tolerance = 2 * whole.notes["relative_error"]
    assert tolerance < 1
    toy.images_seen = 0
    found = run(toy, image, name, tolerance=tolerance, **{most: 640})
    samples = int(found.notes["samples"])
    assert found.notes["relative_error"] <= tolerance
    assert samples < 640
    assert samples % CHUNK == 0
    assert toy.images_seen == 1 + samples
    same = run(toy, image, name, **{most: samples})
    assert same.map.tobytes() == found.map.tobytes()
    before = run(toy, image, name, **{most: samples - CHUNK})
    assert before.notes.get("relative_error", 1) > tolerance


@pytest.mark.parametrize("name", MOST)
def test_a_tolerance_that_is_not_reached_changes_nothing(toy: Toy, image: Any, name: str) -> None:
    plain = run(toy, image, name, **{MOST[name]: 50})
    found = run(toy, image, name, tolerance=1e-6, **{MOST[name]: 50})
    assert found.map.tobytes() == plain.map.tobytes()
    assert found.notes == plain.notes
    assert found.notes["samples"] == 50


def test_one_chunk_tells_no_error(toy: Toy, image: Any) -> None:
    assert run(toy, image, "smoothgrad", samples=CHUNK, tolerance=0.9).notes == {"samples": CHUNK}


def test_a_gradient_that_is_zero_everywhere_needs_no_more_samples(toy: Toy, image: Any) -> None:
    toy.heads[:] = 0
    notes = run(toy, image, "smoothgrad", samples=500, tolerance=0.01).notes
    assert notes == {"samples": 2 * CHUNK, "relative_error": 0}


def test_an_integral_takes_the_points_it_needs(image: Any) -> None:
    toy, start = Toy(smooth=True), baseline(image, "black").astype(np.float64)
    seen = []
    for tolerance in (0.5, 1e-2, 1e-4, 1e-5):
        toy.images_seen = 0
        found = run(toy, image, "integrated_gradients", steps=300, tolerance=tolerance)
        steps = int(found.notes["samples"])
        assert toy.images_seen == steps + 2
        assert abs(found.notes["completeness_error"]) <= tolerance * abs(found.notes["score_difference"])
        total = sum(toy.gradient(start + (k + 0.5) / steps * (image - start), CLASS) for k in range(steps))
        expected = (total / steps * (image - start)).sum(axis=0)
        assert np.abs(found.map - expected).max() < 1e-4 * np.abs(expected).max()
        seen.append(steps)
    assert seen == sorted(seen)
    assert set(seen) <= {11, 33, 99, 297}
    assert len(set(seen)) > 1


@pytest.mark.parametrize("steps", [2, 3, 11, 12, 32, 1000])
def test_an_integral_that_does_not_converge_takes_no_more_points_than_asked_for(
    toy: Toy, image: Any, steps: int
) -> None:
    notes = run(toy, image, "integrated_gradients", steps=steps, tolerance=1e-9).notes
    assert steps - 81 < notes["samples"] <= steps


def test_occlusion_goes_from_coarse_to_fine(toy: Toy, image: Any) -> None:
    fine = run(toy, image, "occlusion", window=4, stride=1)
    all_of_it = run(toy, image, "occlusion", window=4, stride=1, tolerance=1e-9)
    assert np.allclose(all_of_it.map, fine.map, rtol=1e-5)
    assert all_of_it.notes["samples"] == fine.notes["samples"]
    toy.images_seen = 0
    found = run(toy, image, "occlusion", window=4, stride=1, tolerance=0.999)
    coarse = Windows(window=4, stride=1).places(12, 14, 2)
    assert found.notes["samples"] == len(coarse) < fine.notes["samples"]
    assert toy.images_seen == len(coarse) + 1
    assert found.notes["relative_error"] < 0.999
    assert np.linalg.norm(found.map - fine.map) < np.linalg.norm(fine.map)


@pytest.mark.parametrize(("window", "stride", "every"), [(4, 1, 4), (5, 2, 2), (3, 3, 1), (7, 2, 2)])
def test_coarse_windows_cover_every_pixel(window: int, stride: int, every: int) -> None:
    parameters = Windows(window=window, stride=stride, tolerance=0.1)
    assert parameters.refinements()[0] == every
    for size in ((12, 14), (9, 30), (window, window)):
        covered = np.zeros((3, *size), bool)
        for place in parameters.places(*size, every):
            covered[parameters.square(place)] = True
        assert covered.all()


@pytest.mark.parametrize("name", [*MOST, "occlusion", "integrated_gradients"])
@pytest.mark.parametrize("tolerance", [None, 0.2, 1e-6])
def test_progress_never_goes_back(toy: Toy, image: Any, name: str, tolerance: float | None) -> None:
    method = METHODS[name]
    steps = Stepwise(method.function(toy, image, CLASS, method.parameters(tolerance=tolerance)))
    told = list(steps)
    assert told == sorted(told)
    assert 0 < told[0] <= told[-1] <= 1
