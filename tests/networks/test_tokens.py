"""Tokens of transformers as layers with height and width."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from service.attribution import METHODS
from service.models.drafting import Choices
from service.models.importing import add
from service.networks.checking import standalone
from service.networks.network import Network
from service.networks.questions import Term
from service.saliency.view import View
from tests.models.networks import TOKENS, WIDTH, vision_transformer, write

IMAGE = np.random.default_rng(1).random((3, 32, 48), np.float32)
CLASS = 3
PREPROCESSING = Choices(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), size=(32, 48))


def opened(folder: Path, class_token: bool) -> Network:
    return standalone(add(write(vision_transformer(class_token), folder), folder / "models", PREPROCESSING))


def values(name: str, class_token: bool) -> Any:
    """A value of the untouched file."""
    model = vision_transformer(class_token)
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    mean, std = (np.array(v, np.float32)[:, None, None] for v in ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)))
    return ReferenceEvaluator(model).run([name], {"pixels": ((IMAGE - mean) / std)[None]})[0]


def grid(tokens: Any) -> Any:
    return tokens[:, -TOKENS:].reshape(-1, 4, 6, WIDTH).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("class_token", [True, False])
def test_tokens_are_layers(class_token: bool, tmp_path: Path) -> None:
    network = opened(tmp_path, class_token)
    tokens = {name: layer for name, layer in network.layers.items() if layer.leading is not None}
    assert list(tokens) == ["n1", "y1", "x1", "n2", "y2", "x2"]
    assert {(layer.channels, layer.size, layer.leading) for layer in tokens.values()} == {(WIDTH, (4, 6), class_token)}
    (found,) = network.activations(IMAGE[None], ["x1"])
    np.testing.assert_allclose(found, grid(values("x1", class_token)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("class_token", "layer"), [(True, "n2"), (False, "x2")])
def test_maps_look_at_the_last_layer_whose_places_count(class_token: bool, layer: str, tmp_path: Path) -> None:
    network = opened(tmp_path, class_token)
    assert network.cam_layer == layer
    at = network.value_and_grad(IMAGE[None], np.array([CLASS]), layer=layer)
    assert np.abs(at.gradients).min(axis=1).max() > 0
    for method in ("grad_cam", "layer_cam", "score_cam", "eigen_cam"):
        found = METHODS[method].run(View(network, None), IMAGE, CLASS, METHODS[method].parameters())
        assert found.map.shape == (32, 48)
        assert found.map.max() > 0


@pytest.mark.parametrize("name", ["n1", "x1", "n2"])
def test_gradients_of_tokens_against_differences(name: str, tmp_path: Path) -> None:
    """Differences are taken by running the part of the untouched file behind the tokens, in float64."""
    at = opened(tmp_path, True).value_and_grad(IMAGE[None], np.array([CLASS]), layer=name)
    tokens, rest = values(name, True), behind(name)
    rng = np.random.default_rng(2)
    for _ in range(3):
        moved = np.zeros_like(tokens, np.float64)
        moved[:, 1:] = rng.normal(size=moved[:, 1:].shape) * 1e-5
        difference = (rest(tokens + moved) - rest(tokens - moved)) / 2
        assert (at.gradients * grid(moved)).sum() == pytest.approx(difference, rel=1e-3)


def behind(name: str) -> Any:
    """The score of the class as a function of a value, in float64.

    What does not pass through the value, as the sum around an attention, is as it was.
    """
    model = vision_transformer(True)
    kept = [node for node in model.graph.node if node.output[0] != name]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            array = onnx.numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    model.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, None))
    mean, std = (np.array(v)[:, None, None] for v in ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)))
    evaluator, pixels = ReferenceEvaluator(model), ((IMAGE - mean) / std)[None]
    return lambda x: float(evaluator.run(["scores"], {"pixels": pixels, name: x})[0][0, CLASS])


def test_channels_of_tokens_are_objectives(tmp_path: Path) -> None:
    network = opened(tmp_path, True)
    weights = np.eye(WIDTH, dtype=np.float32)[None, 2]
    one = np.ones((1, 1), np.float32)
    score, _, gradients = network.measure(IMAGE[None], (Term("direction", "x1"),), one, {"0.direction": weights})
    assert score[0] == pytest.approx(float(grid(values("x1", True))[0, 2].mean()), rel=1e-3)
    step = 1e-2 * gradients / np.linalg.norm(gradients)
    ahead, behind = (network.activations(IMAGE[None] + d, ["x1"])[0][0, 2].mean() for d in (step, -step))
    assert (ahead - behind) / 2e-2 == pytest.approx(float(np.linalg.norm(gradients)), rel=2e-2)


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return opened(tmp_path_factory.mktemp("transformer"), True)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_explains_a_transformer(transformer: Network, name: str) -> None:
    method = METHODS[name]
    few = {"samples": 10, "masks": 10, "permutations": 2, "designs": 4, "cells": 3, "steps": 4, "channels": 8}
    taken = {key: number for key, number in few.items() if key in method.parameters.model_fields}
    found = method.run(View(transformer, None), IMAGE, CLASS, method.parameters(**taken))
    assert found.map.shape == (32, 48)
    assert np.isfinite(found.map).all()
    assert np.ptp(found.map) > 0
    if name == "deeplift":
        assert abs(found.notes["completeness_error"]) < 1e-4 * np.abs(found.map).sum()
