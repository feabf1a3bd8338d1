"""Deletion, insertion and the randomization of weights."""

import io
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from PIL import Image
from scipy.special import softmax

from service.graphs.randomization import randomized, weighted_nodes
from service.networks.network import Network
from service.pictures.decode import decode
from service.pictures.images import fit
from service.saliency.evaluation import evaluate
from service.saliency.explain import question_of
from service.saliency.metrics import METRICS, Amounts, Candidate, Case
from service.saliency.metrics.baselines import edges


@pytest.fixture(scope="module")
def image(cat: bytes) -> Any:
    return fit(decode(cat, 10**7), (224, 224), 256 / 224, "squash").pixels


def never(*_: Any) -> Any:
    raise AssertionError("the map need not be made again")


def test_curves_take_away_and_put_back_the_hottest_pixels_first(network: Network, image: Any) -> None:
    heat = np.random.default_rng(0).random((224, 224)).astype(np.float32)
    case, candidate = Case(network, image, 285, amounts=Amounts(points=4)), Candidate(heat, heat, never)
    deletion, insertion = (METRICS[name].function(case, candidate) for name in ("deletion", "insertion"))
    np.testing.assert_allclose(deletion.at, [0, 0.25, 0.5, 0.75, 1])
    order = sorted(range(224 * 224), key=lambda i: -heat.flat[i])
    for k, fraction in enumerate([0, 0.25, 0.5, 0.75, 1]):
        without = image.reshape(3, -1).copy()
        without[:, order[: int(fraction * 224 * 224)]] = 0
        probability = softmax(network.classify(without.reshape(1, 3, 224, 224))[0])[285]
        assert deletion.series[k] == pytest.approx(probability, rel=1e-4, abs=1e-6)
    whole = softmax(network.classify(image[None])[0])[285]
    assert insertion.series[-1] == pytest.approx(whole, rel=1e-5)
    assert deletion.series[0] == pytest.approx(whole, rel=1e-5)
    assert insertion.series[0] < 0.1 > deletion.series[-1]
    areas = [sum((c[i] + c[i + 1]) / 8 for i in range(4)) for c in (deletion.series, insertion.series)]
    assert [deletion.value, insertion.value] == pytest.approx(areas)


def test_maps_beat_random_ones(network: Network, image: Any) -> None:
    for method, values in (("grad_cam", {}), ("occlusion", {}), ("rise", {"masks": 300})):
        found = evaluate(network, image, question_of(network, method, values, None, None), ["insertion"], Amounts(16))
        insertion = found.measurements["insertion"]
        assert insertion[method].value > 2 * insertion["random"].value
        assert found.class_id == 285


def test_edges_are_where_the_picture_changes() -> None:
    half = np.zeros((3, 8, 8), np.float32)
    half[:, :, 4:] = 1
    assert set(np.flatnonzero(edges(half)[4])) == {3, 4}


def test_randomizing_weights_separates_the_methods(network: Network, image: Any) -> None:
    """The gradient and Grad-CAM change; guided backpropagation hardly does until the first layers are random too.

    Adebayo et al. 2018, "Sanity Checks for Saliency Maps".
    """
    similar = {}
    for method in ("gradient", "grad_cam", "guided_backprop"):
        asked = question_of(network, method, {}, None, None)
        stages = evaluate(network, image, asked, ["cascading_randomization"], Amounts(stages=4)).stages
        assert [stage.layers for stage in stages] == [6, 13, 20, 26]
        similar[method] = [stage.similarity for stage in stages[:2]]
    assert max(similar["gradient"] + similar["grad_cam"]) < 0.65
    assert min(similar["guided_backprop"]) > 0.85


def test_only_the_chosen_layers_become_random(network: Network) -> None:
    proto = network.model.proto
    names = weighted_nodes(proto)
    assert (names[0], names[-1], len(names)) == ("conv1", "conv10", 26)
    random = randomized(proto, names[-2:])
    onnx.checker.check_model(random)
    changed = {a.name for a, b in zip(proto.graph.initializer, random.graph.initializer, strict=True) if a != b}
    kernels = {name for node in proto.graph.node if node.output[0] in names[-2:] for name in node.input[1:]}
    assert changed == kernels


def test_the_request(client: httpx.Client, cat: bytes) -> None:
    response = client.post("/evaluate?method=integrated_gradients&steps=16&points=8&stages=2", files={"image": cat})
    data = response.json()["data"]
    assert (data["class_id"], set(data["curves"])) == (285, {"integrated_gradients", "random", "edges"})
    assert len(data["curves"]["edges"]["deletion"]) == 9
    assert data["completeness"]["map_sum"] == pytest.approx(data["completeness"]["score_difference"], rel=0.1)
    assert [stage["layers"] for stage in data["randomization"]] == [13, 26]
    assert data["notes"]["completeness_error"]
    plot = client.post("/evaluate?points=4&stages=1", files={"image": cat}, headers={"Accept": "image/png"})
    assert Image.open(io.BytesIO(plot.content)).size[0] == 1080
    refused = client.post("/evaluate?method=rise&masks=5000", files={"image": cat})
    assert refused.status_code == 422
    assert "ask for fewer points or stages" in refused.json()["detail"]
