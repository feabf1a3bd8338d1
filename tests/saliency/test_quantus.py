"""Metrics of maps against Quantus.

Optional: pip install --group bench, then pip install pandas scikit-learn cachetools and pip install --no-deps quantus.
"""

from typing import Any

import numpy as np
import pytest

from service.networks.network import Network
from service.pictures.decode import decode
from service.saliency.evaluation import attribute, candidate_of
from service.saliency.explain import question_of
from service.saliency.intake import fit
from service.saliency.metrics import METRICS, Candidate, Case
from service.saliency.metrics.imputation import smooth
from tests.attribution.peers import stand_in_for_torchvision

torch = pytest.importorskip("torch", reason="optional: pip install --group bench")
pytest.importorskip("pandas", reason="optional: pip install pandas scikit-learn cachetools")
stand_in_for_torchvision()
quantus = pytest.importorskip("quantus", reason="optional: pip install --no-deps quantus")


@pytest.fixture(scope="module")
def case(network: Network, cat: bytes) -> Case:
    region = np.zeros((224, 224), bool)
    region[40:150, 60:200] = True
    return Case(network, fit(network, decode(cat, 10**7), "squash").pixels, 285, region=region)


@pytest.fixture(scope="module", params=["lrp", "grad_cam", "gradient"])
def candidate(request: pytest.FixtureRequest, network: Network, case: Case) -> Candidate:
    question = question_of(network, request.param, {}, 285, None)
    return candidate_of(question, attribute(network, case.image, question).map)


@pytest.mark.parametrize(
    ("name", "peer", "of_heat"),
    [
        ("sparseness", "Sparseness", False),
        ("complexity", "Complexity", False),
        ("pointing_game", "PointingGame", True),
        ("relevance_mass_accuracy", "RelevanceMassAccuracy", True),
        ("relevance_rank_accuracy", "RelevanceRankAccuracy", True),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_quantus_agrees(case: Case, candidate: Candidate, name: str, peer: str, of_heat: bool) -> None:
    values = (candidate.heat.clip(min=0) if of_heat else np.abs(candidate.map)).astype(np.float64)
    metric = getattr(quantus, peer)(normalise=False, disable_warnings=True)
    assert case.region is not None
    (expected,) = metric(
        model=torch.nn.Identity(),
        x_batch=case.image[None],
        y_batch=np.array([285]),
        a_batch=values[None, None],
        s_batch=case.region[None, None],
        channel_first=True,
        device="cpu",
    )
    assert METRICS[name].function(case, candidate).value == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_quantus_fills_in_the_same(case: Case) -> None:
    image: Any = case.image[:, :60, :50]
    missing = np.random.default_rng(0).random((60, 50)) < 0.7
    from quantus.functions.perturb_func import noisy_linear_imputation

    theirs = noisy_linear_imputation(image.astype(np.float64), np.flatnonzero(missing), noise=0.0)
    np.testing.assert_allclose(smooth(image, missing), theirs.reshape(image.shape), atol=1e-6)
