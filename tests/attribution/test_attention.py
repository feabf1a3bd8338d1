"""Attention followed through, against loops in float64, and on a small vision transformer."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from service.attribution import METHODS
from service.errors import InvalidParameter
from service.networks.network import Network
from service.saliency.view import View
from tests.attribution.conftest import Toy
from tests.attribution.test_cams import scaled
from tests.attribution.test_methods import CLASS, close, run
from tests.models.networks import TOKENS
from tests.networks.test_tokens import IMAGE, behind, opened, values


def on_picture(row: Any) -> Any:
    return scaled(row.reshape(6, 7), (6, 7))


def test_rollout(toy: Toy, image: Any) -> None:
    _, attentions, _ = toy.parts(image[None], np.array([CLASS]), "attention")
    rolled = np.eye(43)
    for each in attentions:
        mean = sum(head.astype(float) for head in each[0]) / 3
        step = 0.7 * mean + 0.3 * np.eye(43)
        rolled = np.array([[step[i] @ rolled[:, j] for j in range(43)] for i in range(43)])
    close(run(toy, image, "attention_rollout", residual=0.3).map, on_picture(rolled[0, 1:]))


def test_attribution_through_transformers(toy: Toy, image: Any) -> None:
    _, attentions, gradients = toy.parts(image[None], np.array([CLASS]), "attention")
    relevance = np.eye(43)
    for each, gradient in zip(attentions, gradients, strict=True):
        weights = np.zeros((43, 43))
        for head, slope in zip(each[0], gradient[0], strict=True):
            weights += np.maximum(head.astype(float) * slope, 0) / 3
        relevance = relevance + np.einsum("ij,jk->ik", weights, relevance)
    close(run(toy, image, "transformer_attribution").map, on_picture(relevance[0, 1:]))


@pytest.mark.parametrize("class_token", [True, False])
def test_attentions_of_a_network(class_token: bool, tmp_path: Path) -> None:
    network = opened(tmp_path, class_token)
    at, attentions, gradients = network.parts(IMAGE[None], np.array([3]), "attention")
    tokens = TOKENS + class_token
    assert [a.shape for a in attentions] == [g.shape for g in gradients] == [(1, 2, tokens, tokens)] * 2
    expected = [values(name, class_token) for name in ("p1", "p2")]
    np.testing.assert_allclose(attentions, expected, rtol=1e-3, atol=1e-5)
    assert at.scores[0] == pytest.approx(float(network.classify(IMAGE[None])[0, 3]), rel=1e-4)


@pytest.mark.parametrize("block", [1, 2])
def test_gradients_of_attentions_against_differences(block: int, tmp_path: Path) -> None:
    _, attentions, gradients = opened(tmp_path, True).parts(IMAGE[None], np.array([3]), "attention")
    rest, rng = behind(f"p{block}"), np.random.default_rng(4)
    at = attentions[block - 1].astype(np.float64)
    for _ in range(3):
        step = rng.normal(size=at.shape) * 1e-5
        difference = (rest(at + step) - rest(at - step)) / 2
        assert (gradients[block - 1] * step).sum() == pytest.approx(difference, rel=1e-3)


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.needs == "attention"])
def test_maps_of_a_transformer(method: str, tmp_path: Path) -> None:
    view = View(opened(tmp_path, True), None)
    found = METHODS[method].run(view, IMAGE, 3, METHODS[method].parameters())
    assert found.map.shape == (32, 48)
    assert found.map.max() > 0


def test_networks_without_attention_are_told_apart(network: Network, image: Any) -> None:
    with pytest.raises(InvalidParameter, match="no attention"):
        network.parts(np.zeros((1, 3, 224, 224), np.float32), np.array([3]), "attention")


def test_windows_are_refused(toy: Toy, image: Any) -> None:
    at, attentions, gradients = toy.parts(image[None], np.array([CLASS]), "attention")
    for windows in ([np.repeat(a, 2, axis=0) for a in attentions], [attentions[0], attentions[1][..., :20, :20]]):
        toy.parts = lambda *_, windows=windows: (at, windows, gradients)  # type: ignore[method-assign]
        with pytest.raises(InvalidParameter, match="does not attend to all places"):
            run(toy, image, "attention_rollout")


def test_tokens_that_make_no_grid_are_refused(toy: Toy) -> None:
    picture = np.zeros((3, 10, 30), np.float32)
    at, attentions, gradients = toy.parts(np.random.default_rng(0).random((1, 3, 12, 14)), np.array([1]), "attention")
    toy.parts = lambda *_: (at, attentions, gradients)  # type: ignore[method-assign]
    with pytest.raises(InvalidParameter, match="43 tokens"):
        run(toy, picture, "attention_rollout")


def test_what_biases_contribute_against_differences(network: Network, cat: bytes) -> None:
    """The contribution of a bias is the slope of the score when all its numbers grow in proportion."""
    rng = np.random.default_rng(0)
    picture = rng.random((1, 3, 224, 224), np.float32)
    at, _, found = network.parts(picture, np.array([285]), "bias")
    names = [node.input[2] for node in network.model.proto.graph.node if node.op_type == "Conv"]
    assert len(found) >= len(names)
    whole = float((at.gradients * picture).sum(dtype=np.float64)) + sum(float(f.sum(dtype=np.float64)) for f in found)
    assert whole == pytest.approx(float(at.scores[0]), rel=1e-4)
    for place in (-1, -6, -20):
        slope = float(found[place].sum(dtype=np.float64))
        scores = []
        for factor in (1.02, 0.98):
            proto = onnx.ModelProto()
            proto.CopyFrom(network.model.proto)
            for tensor in proto.graph.initializer:
                if tensor.name == names[place]:
                    grown = onnx.numpy_helper.to_array(tensor) * np.float32(factor)
                    tensor.CopyFrom(onnx.numpy_helper.from_array(grown, tensor.name))
            scores.append(float(network.with_weights(proto).classify(picture)[0, 285]))
        assert (scores[0] - scores[1]) / 0.04 == pytest.approx(slope, rel=2e-2, abs=1e-3)
