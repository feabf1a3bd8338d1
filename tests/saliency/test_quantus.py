"""Metrics that only look at maps against Quantus.

Optional: pip install --group bench, then pip install pandas scikit-learn cachetools and pip install --no-deps quantus.
"""

from typing import Any

import numpy as np
import pytest

from service.networks.network import Network
from service.saliency.metrics import Case
from tests.attribution.peers import stand_in_for_torchvision
from tests.saliency.test_metrics import CLASS, SIDE, still, value

torch = pytest.importorskip("torch", reason="optional: pip install --group bench")
pytest.importorskip("pandas", reason="optional: pip install pandas scikit-learn cachetools")
stand_in_for_torchvision()
quantus = pytest.importorskip("quantus", reason="optional: pip install --no-deps quantus")

from tests.models.torch_modules import squeezenet  # noqa: E402

PEERS = {
    "sparseness": "Sparseness",
    "complexity": "Complexity",
    "pointing_game": "PointingGame",
    "relevance_mass_accuracy": "RelevanceMassAccuracy",
    "relevance_rank_accuracy": "RelevanceRankAccuracy",
}


@pytest.mark.parametrize("name", PEERS)
def test_metrics_of_maps(network: Network, name: str) -> None:
    rng = np.random.default_rng(5)
    image, heat = rng.random((3, SIDE, SIDE), np.float32), rng.random((SIDE, SIDE)) ** 3
    region = np.zeros((SIDE, SIDE), bool)
    region[40:150, 60:200] = True
    case = Case(network, image, CLASS, region=region)
    options: dict[str, Any] = {"disable_warnings": True, "display_progressbar": False, "normalise": False, "abs": False}
    metric = getattr(quantus, PEERS[name])(**options)
    theirs = metric(
        model=squeezenet(), x_batch=image[None], y_batch=np.array([CLASS]), a_batch=heat[None, None],
        s_batch=region[None, None], channel_first=True,
    )  # fmt: skip
    found = value(name, case, still(heat))
    print(name, found, theirs)
    assert found == pytest.approx(float(np.ravel(theirs)[0]), rel=1e-4)
