"""What is told of layers, of networks in the forms that exporters produce."""

from typing import Any

import numpy as np
import pytest

from service.models.drafting import Choices
from service.models.importing import add
from service.networks.checking import standalone
from service.networks.network import Network
from service.pictures.decode import Photograph, decode
from service.pictures.images import Fitted
from service.saliency.concepts import find_concepts
from service.saliency.conductance import carried
from service.saliency.intake import Intake, fit
from service.saliency.tcav import Examples, Question, try_concept
from service.telemetry.timing import Stopwatch
from tests.models.networks import classifier, write

FORMS: list[dict[str, Any]] = [
    {"layout": "NHWC", "activation": "Elu"},
    {"batch": 1, "size": 32, "softmax": True},
    {"batch": 3, "size": 32},
]


@pytest.fixture(scope="module", params=FORMS, ids=lambda form: "-".join(f"{k}={v}" for k, v in form.items()))
def foreign(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder, form = tmp_path_factory.mktemp("foreign"), request.param
    choices = Choices(size=None if "size" in form else (32, 32), preprocessing="imagenet")
    return standalone(add(write(classifier(**form), folder / "from"), folder / "models", choices))


@pytest.fixture
def taken(foreign: Network, cat: bytes, coffee: bytes) -> list[tuple[Photograph, Fitted]]:
    photographs = [decode(data, 10**7) for data in (cat, coffee)]
    return [(each, fit(foreign, each, "squash")) for each in photographs]


def test_factors(foreign: Network, taken: list[tuple[Photograph, Fitted]]) -> None:
    """What they add up to differs from the whole layer by no more than what they leave over (Cauchy-Schwarz)."""
    layer = foreign.usual_layer
    found = find_concepts(foreign, taken, layer, 3, None)
    at = [foreign.value_and_grad(fitted.pixels[None], layer=layer) for _, fitted in taken]
    left = found.relative_error * np.linalg.norm([each.at.clip(min=0) for each in at])
    for one, each in zip(found.portrayed, at, strict=True):
        whole = float(np.vdot(each.gradients, each.at.clip(min=0)))
        assert abs(one.importances.sum() - whole) <= np.linalg.norm(each.gradients) * left
        assert one.class_id == foreign.classify(one.fitted.pixels[None]).argmax()
    assert found.relative_error < 0.5


def test_conductance(foreign: Network, taken: list[tuple[Photograph, Fitted]]) -> None:
    one = carried(foreign, taken[0][1].pixels, foreign.usual_layer, None, None, "grey", 100).found
    grey = np.full((1, 3, 32, 32), 0.5, np.float32)
    difference = foreign.classify(taken[0][1].pixels[None]) - foreign.classify(grey)
    assert one.difference == pytest.approx(float(difference[0, one.at.class_ids[0]]), rel=1e-4)
    assert one.error == pytest.approx(0, abs=0.01 * abs(one.difference))


def test_a_concept(foreign: Network, cat: bytes, coffee: bytes) -> None:
    """Cats as the concept, cups as random pictures: in a layer whose mean decides, the direction is known."""
    asked = Question(foreign.usual_layer, None, "mean", 2, 0)
    how = Intake("squash", "exact", 10**7, 512)
    found = try_concept(foreign, Examples([cat] * 6, [coffee] * 6, [cat]), asked, how, Stopwatch())
    values = [
        foreign.activations(fit(foreign, decode(data, 10**7), "squash").pixels[None], [foreign.usual_layer])[0]
        for data in (cat, coffee)
    ]
    towards = (values[0] - values[1]).mean(axis=(0, 2, 3)).astype(np.float64)
    at = foreign.value_and_grad(fit(foreign, decode(cat, 10**7), "squash").pixels[None], layer=foreign.usual_layer)
    expected = at.gradients[0].sum(axis=(1, 2)) @ towards / np.linalg.norm(towards)
    assert found.tested.sensitivities[0] == pytest.approx(expected, rel=1e-3)
    assert found.tested.accuracy == 1
