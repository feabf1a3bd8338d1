"""Diversity of several pictures against its formula in float64, and its gradient against differences."""

from typing import Any

import numpy as np
import pytest

from service.kinds.several import measure_diverse
from service.models.drafting import Choices
from service.models.importing import add
from service.networks.checking import standalone
from service.networks.network import Network
from service.synthesis.sheet import Sheet
from tests.models.networks import classifier, write

SHEET = Sheet(3, (32, 32))


@pytest.fixture(scope="module", params=["N", 1, 2])
def smooth(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A network without kinks, that takes any number of pictures at once, one, or two."""
    folder = tmp_path_factory.mktemp("smooth")
    model = classifier(activation="Tanh", batch=request.param, size=32)
    return standalone(add(write(model, folder / "from"), folder / "models", Choices(preprocessing="imagenet")))


@pytest.fixture(scope="module")
def sheet() -> Any:
    return np.random.default_rng(0).random((3, 64, 64)).astype(np.float32)


def parts(network: Network, sheet: Any, direction: Any) -> tuple[Any, Any]:
    """The weighted means (3,) and the sum of the cosines of each picture to the two others (3,)."""
    means, grams = [], []
    for i in range(3):
        picture = sheet[:, i // 2 * 32 : (i // 2 + 1) * 32, i % 2 * 32 : (i % 2 + 1) * 32]
        (values,) = network.activations(picture[None], [network.usual_layer])
        columns = values[0].reshape(len(direction), -1).astype(np.float64)
        means.append(sum(direction[c] * columns[c].mean() for c in range(len(direction))))
        grams.append(columns @ columns.T)
    cosines = np.array(
        [
            sum((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()) for j, b in enumerate(grams) if j != i)
            for i, a in enumerate(grams)
        ]
    )
    return np.array(means), cosines


@pytest.mark.parametrize("diversity", [0.0, 100.0])
def test_the_score_and_its_gradient(smooth: Network, sheet: Any, diversity: float) -> None:
    layer = smooth.usual_layer
    direction = np.random.default_rng(1).normal(size=smooth.layer(layer).channels).astype(np.float32)
    found = measure_diverse(smooth, layer, direction, SHEET, diversity)(sheet)
    scale = diversity * np.abs(parts(smooth, sheet, direction)[0]).mean()

    def score(sheet: Any) -> float:
        means, cosines = parts(smooth, sheet, direction)
        return float(means.sum() - scale * (cosines / 2).sum())

    assert found.score == pytest.approx(score(sheet), rel=1e-4)
    assert found.gradient.shape == sheet.shape
    assert not found.gradient[:, 32:, 32:].any()  # there is no fourth picture
    way = found.gradient / np.linalg.norm(found.gradient)
    step = 0.02
    difference = (score(sheet + step * way) - score(sheet - step * way)) / (2 * step)
    assert float(np.vdot(found.gradient, way)) == pytest.approx(difference, rel=0.02)


def test_pictures_that_are_all_the_same_lose_their_whole_score(smooth: Network) -> None:
    layer = smooth.usual_layer
    direction = np.ones(smooth.layer(layer).channels, np.float32)
    one = np.random.default_rng(2).random((3, 32, 32)).astype(np.float32)
    same = SHEET.join(np.stack([one] * 3))
    alike, alone = (measure_diverse(smooth, layer, direction, SHEET, d)(same) for d in (1.0, 0.0))
    assert alike.score == pytest.approx(alone.score - abs(alone.score), abs=1e-4 * abs(alone.score))
