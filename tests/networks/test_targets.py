"""Scores other than that of a class, against central differences and the classes themselves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from service.attribution import METHODS
from service.networks.network import Network
from service.networks.questions import Quantity, Target
from service.pictures.decode import decode
from service.pictures.images import fit
from service.saliency.view import View

CLASS = 285


@pytest.fixture(scope="module")
def image(cat: bytes) -> Any:
    return fit(decode(cat, 10**7), (224, 224), 256 / 224, "squash").pixels


def one_hot(*classes: int) -> Any:
    weights = np.zeros(1000, np.float32)
    weights[list(classes)] = 1
    return weights


def slope_error(score: Callable[[Any], float], images: Any, gradients: Any) -> float:
    """The relative difference between the slope along the gradient and its length, for the best of several steps."""
    length = float(np.linalg.norm(gradients.astype(np.float64)))
    errors = []
    for step in (0.001, 0.003, 0.01, 0.03, 0.1):
        moved = (step * gradients / length).astype(np.float32)
        errors.append(abs((score(images + moved) - score(images - moved)) / (2 * step) / length - 1))
    return min(errors)


def test_a_class_is_a_target_like_any_other(network: Network, image: Any) -> None:
    target = Target(Quantity("logits"), one_hot(CLASS))
    at = network.value_and_grad(image[None], target=target)
    expected = network.value_and_grad(image[None], np.array([CLASS]))
    assert at.scores[0] == pytest.approx(expected.scores[0], rel=1e-5)
    assert network.score(image[None], target)[0] == pytest.approx(expected.scores[0], rel=1e-5)
    np.testing.assert_allclose(at.gradients, expected.gradients, atol=1e-3 * np.abs(expected.gradients).max())
    for name in ("grad_cam", "lrp_epsilon", "deeplift", "guided_backprop", "full_grad", "ablation_cam"):
        method = METHODS[name]
        mine = method.run(View(network, None, target), image, 0, method.parameters()).map
        theirs = method.run(View(network, None), image, CLASS, method.parameters()).map
        np.testing.assert_allclose(mine, theirs, atol=2e-3 * np.abs(theirs).max(), err_msg=name)


FORMULAS = {
    "probability": lambda z: softmax(z)[CLASS],
    "log_odds": lambda z: log_softmax(z)[CLASS] - np.log(-np.expm1(log_softmax(z)[CLASS])),
    "cosine": lambda z: z[CLASS] / np.linalg.norm(z),
}


@pytest.mark.parametrize("transform", FORMULAS)
def test_transforms(network: Network, image: Any, transform: Any) -> None:
    target = Target(Quantity("logits", transform), one_hot(CLASS))
    logits = network.classify(image[None])[0].astype(np.float64)
    at = network.value_and_grad(image[None], target=target)
    assert at.scores[0] == pytest.approx(FORMULAS[transform](logits), rel=1e-4)

    def score(images: Any) -> float:
        return float(FORMULAS[transform](network.classify(images)[0].astype(np.float64)))

    assert slope_error(score, image[None], at.gradients) < 1e-2


def test_log_odds_of_a_sure_class_still_have_a_gradient(network: Network, image: Any) -> None:
    logits = network.classify(image[None])[0].astype(np.float64)
    sure = Target(Quantity("logits", "log_odds"), one_hot(*(int(k) for k in np.argsort(-logits)[:800])))
    at = network.value_and_grad(image[None], target=sure)
    assert at.scores[0] > 8
    assert np.abs(at.gradients).max() > 1e-3


def test_a_channel_of_a_layer(network: Network, image: Any) -> None:
    (activations,) = network.activations(image[None], ["fire4"])
    weights = np.zeros(activations.shape[1:], np.float32)
    weights[17] = 1 / weights[17].size
    target = Target(Quantity("fire4"), weights)
    at = network.value_and_grad(image[None], target=target)
    assert at.scores[0] == pytest.approx(activations[0, 17].mean(), rel=1e-4)
    assert slope_error(lambda images: float(network.score(images, target)[0]), image[None], at.gradients) < 1e-2


@pytest.mark.parametrize("value", ["fire8", "logits"])
def test_what_is_asleep_is_woken_where_that_is_asked_for(network: Network, value: str) -> None:
    noise = np.random.default_rng(0).random((1, 3, 224, 224), np.float32)
    noise = noise if value == "fire8" else 0.45 + 0.1 * noise  # some classes score 0 where there is little to see
    values = network.activations(noise, [value])[0][0] if value == "fire8" else network.classify(noise)[0]
    weights = np.zeros_like(values)
    weights[np.unravel_index(values.argmin(), values.shape)] = 1
    asleep, awake = (Target(Quantity(value, wakes=wakes), weights) for wakes in (False, True))
    at = network.value_and_grad(noise, target=asleep)
    assert (at.scores[0], np.abs(at.gradients).max()) == (0, 0)
    at = network.value_and_grad(noise, target=awake)
    assert at.scores[0] < 0
    assert slope_error(lambda images: float(network.score(images, awake)[0]), noise, at.gradients) < 1e-2
    moved = noise
    for _ in range(60):
        moved = moved + 0.5 * at.gradients / np.linalg.norm(at.gradients)
        at = network.value_and_grad(moved, target=awake)
    assert at.scores[0] > 0
    assert network.score(moved, asleep)[0] == pytest.approx(at.scores[0], rel=1e-4)
