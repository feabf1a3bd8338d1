"""Each method against a naive loop in float64 on a network with a known formula."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom
from scipy.special import softmax

from service.attribution import METHODS, Attribution
from service.attribution.baselines import baseline, blurred
from service.attribution.method import GUIDED, Rules
from service.attribution.perturbation import Masks, random_mask
from tests.attribution.conftest import BIASES, Toy

CLASS = 1


def run(toy: Toy, image: Any, name: str, class_id: int = CLASS, **parameters: Any) -> Attribution:
    method = METHODS[name]
    return method.run(toy, image, class_id, method.parameters(**parameters))  # type: ignore[arg-type]


def close(found: Any, expected: Any) -> None:
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_the_toy_is_differentiated_correctly(toy: Toy, image: Any) -> None:
    gradient, epsilon = toy.gradient(image, CLASS), 1e-6
    for c, i, j in [(0, 0, 0), (1, 5, 6), (2, 11, 13)]:
        moved = image.astype(np.float64)
        moved[c, i, j] += epsilon
        ahead = toy.logits64(moved)[CLASS]
        moved[c, i, j] -= 2 * epsilon
        assert gradient[c, i, j] == pytest.approx((ahead - toy.logits64(moved)[CLASS]) / (2 * epsilon), rel=1e-5)


def test_gradient(toy: Toy, image: Any) -> None:
    close(run(toy, image, "gradient").map, np.abs(toy.gradient(image, CLASS)).max(axis=0))


def test_gradient_x_input(toy: Toy, image: Any) -> None:
    close(run(toy, image, "gradient_x_input").map, (toy.gradient(image, CLASS) * image).sum(axis=0))


@pytest.mark.parametrize("name", ["guided_backprop", "deconvnet"])
def test_relu_variants(toy: Toy, image: Any, name: str) -> None:
    close(
        run(toy, image, name).map, np.abs(toy.gradient(image, CLASS, Rules(name.removesuffix("_backprop")))).max(axis=0)
    )


def noisy_gradients(toy: Toy, image: Any, samples: int, noise: float, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return np.stack(
        [
            toy.gradient(image + np.float32(noise) * rng.standard_normal(image.shape, np.float32), CLASS)
            for _ in range(samples)
        ]
    )


def test_smoothgrad(toy: Toy, image: Any) -> None:
    found = run(toy, image, "smoothgrad", samples=37, noise=0.2, seed=5)
    close(found.map, np.abs(noisy_gradients(toy, image, 37, 0.2, 5).mean(axis=0)).max(axis=0))


def test_vargrad(toy: Toy, image: Any) -> None:
    found = run(toy, image, "vargrad", samples=37, noise=0.2, seed=5)
    close(found.map, noisy_gradients(toy, image, 37, 0.2, 5).var(axis=0).max(axis=0))


@pytest.mark.parametrize("fill", ["black", "white", "grey", "mean", "blur"])
def test_integrated_gradients(toy: Toy, image: Any, fill: str) -> None:
    start, steps = baseline(image, fill).astype(np.float64), 21  # type: ignore[arg-type]
    total = sum(toy.gradient(start + (k + 0.5) / steps * (image - start), CLASS) for k in range(steps))
    found = run(toy, image, "integrated_gradients", steps=steps, baseline=fill)
    close(found.map, (total / steps * (image - start)).sum(axis=0))
    gained = toy.logits64(image)[CLASS] - toy.logits64(start)[CLASS]
    assert found.notes["score_difference"] == pytest.approx(gained, rel=1e-4, abs=1e-4)
    assert found.notes["completeness_error"] == pytest.approx(found.map.sum() - gained, abs=1e-3)


@pytest.mark.parametrize("sigma", [0.4, 1.9, 2.1, 7, 80])
@pytest.mark.parametrize("size", [(40, 200), (200, 40)])
def test_blurred_pictures_are_smoothed_by_a_gaussian(size: tuple[int, int], sigma: float) -> None:
    image = np.random.default_rng(0).random((3, *size), np.float32)
    expected = gaussian_filter(image.astype(np.float64), (0, sigma, sigma), mode="nearest")
    np.testing.assert_allclose(blurred(image, sigma), expected, atol=2e-6)


@pytest.mark.parametrize("name", ["integrated_gradients", "blur_integrated_gradients"])
def test_path_integrals_are_complete(image: Any, name: str) -> None:
    notes = run(Toy(smooth=True), image, name, steps=300).notes
    assert abs(notes["completeness_error"]) < 2e-3 * abs(notes["score_difference"])


def test_blur_integrated_gradients(toy: Toy, image: Any) -> None:
    sigmas = 8 * np.linspace(1, 0, 20) ** 2
    path = [gaussian_filter(image.astype(np.float64), (0, s, s), mode="nearest") for s in sigmas]
    total = sum(toy.gradient((a + b) / 2, CLASS) * (b - a) for a, b in pairwise(path))
    found = run(toy, image, "blur_integrated_gradients", steps=19, max_sigma=8)
    assert np.abs(found.map - total.sum(axis=0)).max() < 2e-3 * np.abs(total.sum(axis=0)).max()


def bilinear(small: Any, height: int, width: int) -> Any:
    """Bilinear scaling with pixel centres at (i + 0.5) / size, clamped at the edge."""
    h, w = small.shape
    out = np.zeros((height, width))
    for i, j in np.ndindex(height, width):
        y = min(max((i + 0.5) * h / height - 0.5, 0), h - 1)
        x = min(max((j + 0.5) * w / width - 0.5, 0), w - 1)
        y0, x0 = int(y), int(x)
        y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
        top = small[y0, x0] * (1 - x + x0) + small[y0, x1] * (x - x0)
        bottom = small[y1, x0] * (1 - x + x0) + small[y1, x1] * (x - x0)
        out[i, j] = top * (1 - y + y0) + bottom * (y - y0)
    return out


def test_grad_cam(toy: Toy, image: Any) -> None:
    cam = sum(toy.heads[CLASS][k].mean() * toy.maps(image)[k] for k in range(4))
    close(run(toy, image, "grad_cam").map, bilinear(cam.clip(0), 12, 14))


def test_grad_cam_plus_plus(toy: Toy, image: Any) -> None:
    maps, cam = toy.maps(image), np.zeros((10, 12))
    for a, g in zip(maps, toy.heads[CLASS], strict=True):
        alpha = [[v**2 / (2 * v**2 + a.sum() * v**3) for v in row] for row in g]
        cam += (np.array(alpha) * g.clip(0)).sum() * a
    close(run(toy, image, "grad_cam_plus_plus").map, bilinear(cam.clip(0), 12, 14))


def test_layer_cam(toy: Toy, image: Any) -> None:
    cam = sum(toy.heads[CLASS][k].clip(0) * toy.maps(image)[k] for k in range(4))
    close(run(toy, image, "layer_cam").map, bilinear(cam.clip(0), 12, 14))


def test_guided_grad_cam(toy: Toy, image: Any) -> None:
    cam = run(toy, image, "grad_cam").map
    close(run(toy, image, "guided_grad_cam").map, np.abs(toy.gradient(image, CLASS, GUIDED) * cam).max(axis=0))


@pytest.mark.parametrize(("window", "stride"), [(4, 2), (5, 3), (3, 5), (20, 7)])
@pytest.mark.parametrize("fill", ["black", "mean"])
def test_occlusion(toy: Toy, image: Any, window: int, stride: int, fill: str) -> None:
    cover = baseline(image, fill)  # type: ignore[arg-type]
    total, count = np.zeros((12, 14)), np.zeros((12, 14))
    y = 0
    while True:
        x = 0
        while True:
            covered = image.copy()
            covered[:, y : y + window, x : x + window] = cover[:, y : y + window, x : x + window]
            total[y : y + window, x : x + window] += toy.logits64(image)[CLASS] - toy.logits64(covered)[CLASS]
            count[y : y + window, x : x + window] += 1
            if x + window >= 14:
                break
            x += stride
        if y + window >= 12:
            break
        y += stride
    toy.images_seen = 0
    found = run(toy, image, "occlusion", window=window, stride=stride, fill=fill)
    close(found.map, total / np.maximum(count, 1))
    assert toy.images_seen == METHODS["occlusion"].parameters(window=window, stride=stride).runs_needed(12, 14)


@pytest.mark.parametrize(("size", "cells"), [((224, 224), 7), ((40, 53), 5), ((9, 300), 32)])
def test_masks_are_cells_that_are_scaled_up_and_shifted(size: tuple[int, int], cells: int) -> None:
    found = random_mask(np.random.default_rng(3), size, Masks(cells=cells))
    rng, cell = np.random.default_rng(3), [-(-side // cells) for side in size]
    grid = (rng.random((cells + 1, cells + 1)) < 0.5).astype(np.float64)
    y, x = (int(rng.integers(side)) for side in cell)
    large = bilinear(grid, cell[0] * (cells + 1), cell[1] * (cells + 1))
    close(found, large[y : y + size[0], x : x + size[1]])


def test_rise(toy: Toy, image: Any) -> None:
    parameters = Masks(masks=50, cells=4, keep=0.4, seed=3, fill="black")
    rng = np.random.default_rng(3)
    masks = [random_mask(rng, (12, 14), parameters).astype(np.float64) for _ in range(50)]
    chances = [softmax(toy.logits64(image * m))[CLASS] for m in masks]
    expected = sum(p * m for p, m in zip(chances, masks, strict=True)) / sum(masks) - np.mean(chances)
    found = run(toy, image, "rise", **parameters.model_dump())
    assert np.abs(found.map - expected).max() < 1e-3 * np.abs(expected).max()


def test_masks_show_what_they_are_asked_to() -> None:
    rng = np.random.default_rng(0)
    masks = np.stack([random_mask(rng, (40, 50), Masks(cells=5, keep=0.3)) for _ in range(2000)])
    assert masks.shape == (2000, 40, 50)
    assert (masks.min(), masks.max()) == (0, 1)
    assert np.abs(masks.mean(axis=0) - 0.3).max() < 0.06


@pytest.mark.parametrize("name", METHODS)
def test_every_method_finds_the_predicted_class_and_states_its_runs(toy: Toy, image: Any, name: str) -> None:
    parameters = METHODS[name].parameters()
    found = run(toy, image, name, class_id=-1)
    assert found.at.class_ids[0] == toy.logits64(image).argmax()
    assert found.map.shape == (12, 14)
    assert found.map.dtype == np.float32
    assert toy.images_seen <= parameters.runs_needed(12, 14) + 1


@pytest.mark.parametrize("name", METHODS)
def test_steps_yield_the_fraction_that_is_done(toy: Toy, image: Any, name: str) -> None:
    done = list(METHODS[name].function(toy, image, CLASS, METHODS[name].parameters()))  # type: ignore[arg-type]
    assert done == sorted(done)
    assert all(0 < d <= 1 for d in done)
    assert not done or done[-1] == 1


def test_full_grad_adds_up_pixels_and_biases(toy: Toy, image: Any) -> None:
    def rescaled(values: Any) -> Any:
        return (abs(values) - abs(values).min()) / (abs(values).max() - abs(values).min())

    gradient = toy.gradient(image, CLASS)
    of_biases = toy.heads[CLASS] * (toy.before(image) > 0) * BIASES[:, None, None]
    spread = zoom(rescaled(of_biases).sum(axis=0), (12 / 10, 14 / 12), order=1, mode="nearest", grid_mode=True)
    found = run(toy, image, "full_grad")
    close(found.map, rescaled(gradient * image).sum(axis=0) + spread)
    whole = (gradient * image).sum() + of_biases.sum()
    assert found.notes["completeness_error"] == pytest.approx(whole - toy.logits64(image)[CLASS], rel=1e-4)
