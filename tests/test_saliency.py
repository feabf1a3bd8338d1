"""The map of a photograph, from the network up."""

import numpy as np
import pytest

from service.attribution import Evaluation, gradient
from service.errors import EngineError, InvalidParameter
from service.images import decode
from service.network import Network
from service.objectives import PREDICTED
from service.saliency import explain, fit_all
from service.timing import Stopwatch


def test_the_map_is_the_largest_absolute_gradient_over_the_channels() -> None:
    gradients = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)

    def evaluate(images: np.ndarray, class_ids: np.ndarray) -> Evaluation:
        return Evaluation(np.zeros((2, 7), np.float32), class_ids, np.zeros(2, np.float32), np.zeros(2, bool), gradients)

    maps, _ = gradient(evaluate, np.zeros((2, 3, 4, 5), np.float32), np.array([1, 2]))
    for n, i, j in np.ndindex(maps.shape):
        assert maps[n, i, j] == max(abs(float(gradients[n, c, i, j])) for c in range(3))


def test_the_heat_gathers_on_the_face_of_the_cat(network: Network, cat: bytes) -> None:
    watch = Stopwatch()
    photographs = [decode(cat, 10**7)]
    (one,) = explain(network, photographs, fit_all(network, photographs, "squash", watch), "gradient", None, watch)
    assert one.class_id == 285
    assert not one.zero_gradient
    face = one.saliency[110:190, 90:170]  # nose and mouth
    assert face.mean() > 1.3 * one.saliency.mean()
    assert set(watch.milliseconds) == {"resize", "run"}


def test_a_score_of_zero_is_differentiated_before_the_relu(network: Network) -> None:
    blank = np.full((1, 3, 224, 224), 0.5, np.float32)
    dead = np.flatnonzero(network.classify(blank)[0] == 0)
    assert dead.size, "no class has a score of exactly 0 on grey"
    at = network.evaluate(blank, dead[:1])
    assert at.before_relu[0]
    assert at.scores[0] < 0
    assert at.gradients.any()


def test_a_positive_score_is_differentiated_as_it_is(network: Network, cat: bytes) -> None:
    photographs = [decode(cat, 10**7)]
    (fitted,) = fit_all(network, photographs, "squash", Stopwatch())
    at = network.evaluate(fitted.pixels[None])
    assert not at.before_relu[0]
    assert at.scores[0] == pytest.approx(at.logits[0].max(), rel=1e-6)  # computed once more, for this class alone


def test_each_image_of_a_batch_has_its_own_class(network: Network, cat: bytes, coffee: bytes) -> None:
    photographs = [decode(data, 10**7) for data in (cat, coffee, cat)]
    images = np.stack([f.pixels for f in fit_all(network, photographs, "squash", Stopwatch())])
    wanted = np.array([PREDICTED, PREDICTED, 76])
    together = network.evaluate(images, wanted)
    assert together.class_ids.tolist() == [285, 967, 76]
    for i in range(3):
        alone = network.evaluate(images[i : i + 1], wanted[i : i + 1])
        np.testing.assert_allclose(together.gradients[i], alone.gradients[0], rtol=1e-3, atol=1e-4)


def test_a_class_out_of_range_names_the_range(network: Network) -> None:
    with pytest.raises(InvalidParameter, match="from 0 to 999 for squeezenet1_1; it is -1"):
        explain(network, [], [], "gradient", -1, Stopwatch())


def test_a_run_that_fails_is_an_engine_error_and_the_next_one_works(network: Network) -> None:
    with pytest.raises(EngineError, match="could not be run"):
        network.evaluate(np.zeros((1, 3, 2, 2), np.float32))
    assert network.evaluate(np.zeros((1, 3, 64, 64), np.float32)).gradients.shape == (1, 3, 64, 64)
