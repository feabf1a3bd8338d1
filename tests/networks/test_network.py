"""A network and its copy that runs in the background."""

import numpy as np

from service.networks.network import Network
from service.telemetry import metrics


def runs(kind: str) -> float:
    return float(metrics.RUNS.labels(kind)._value.get())


def test_runs_in_the_background_wait_behind_others_and_share_their_sessions(network: Network) -> None:
    twin, image = network.in_background(), np.zeros((1, 3, 224, 224), np.float32)
    expected = network.value_and_grad(image).gradients
    made = list(network._sessions._made)
    before = runs("interactive"), runs("background")
    np.testing.assert_array_equal(twin.value_and_grad(image).gradients, expected)
    assert (runs("interactive"), runs("background")) == (before[0], before[1] + 1)
    assert list(network._sessions._made) == made
    assert network.in_background().classify(image).shape == (1, 1000)
    assert network.in_background().layers is network.layers
    assert runs("background") == before[1] + 2
