"""The terms of objectives against their formulas in float64, and their gradients against central differences."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from service.autodiff import differentiate
from service.kinds.grams import gram
from service.networks.objectives import weighted_terms
from service.networks.questions import D_SCORE, SCORE, TERMS, WEIGHTS, Term
from service.runtime.engine import Engine
from tests.models.test_squeezenet import in_float64

# From the image to a smooth layer of five channels.
MODEL = """<ir_version: 8, opset_import: ["": 18]>
    g (float[N,3,H,W] image, float[5,3,3,3] kernel) => (float[N,5,h,w] y) {
    layer = Conv(image, kernel) y = Tanh(layer) }"""
OF_EVERY_KIND = [
    Term(kind, "image" if kind == "variation" else "layer")
    for kind in ("direction", "energy", "content", "caricature", "style", "likeness", "variation")
]


def model() -> onnx.ModelProto:
    proto = onnx.parser.parse_model(MODEL)
    kernel = np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(kernel, "kernel"))
    del proto.graph.input[1]
    return onnx.shape_inference.infer_shapes(proto)


def feeds(terms: Sequence[Term], images: Any) -> dict[str, Any]:
    rng, n, (h, w) = np.random.default_rng(1), len(images), (images.shape[2] - 2, images.shape[3] - 2)
    extra: dict[str, Any] = {"image": images, WEIGHTS: rng.normal(size=(n, len(terms)))}
    for i, term in enumerate(terms):
        if term.kind == "direction":
            extra[f"{i}.direction"] = rng.normal(size=(n, 5))
        if term.kind in ("content", "caricature"):
            extra[f"{i}.target"] = rng.normal(size=(n, 5, h, w))
        if term.kind == "caricature":
            extra[f"{i}.target"][0] += 2 * np.tanh(images[0].mean())  # one whose cosine counts, and one below the least
            extra[f"{i}.power"] = np.array([2.5, 1.0])
        if term.kind in ("style", "likeness"):
            extra[f"{i}.target"] = rng.normal(size=(n, 5, 5))
    return extra


def naive(term: Term, image: Any, layer: Any, i: int, values: dict[str, Any], n: int) -> float:
    channels, height, width = layer.shape
    if term.kind == "direction":
        return float(sum(values[f"{i}.direction"][n][c] * layer[c].mean() for c in range(channels)))
    if term.kind == "energy":
        return float((layer**2).mean() / 2)
    if term.kind == "content":
        return -float(((layer - values[f"{i}.target"][n]) ** 2).sum())
    if term.kind == "caricature":
        target = values[f"{i}.target"][n]
        dot = float((layer * target).sum())
        cosine = dot / np.sqrt((layer**2).sum() * (target**2).sum())
        return dot * float(max(cosine, 0.1) ** values[f"{i}.power"][n])
    if term.kind == "likeness":
        columns = layer.reshape(channels, -1)
        matrix = columns @ columns.T
        return float((matrix * values[f"{i}.target"][n]).sum() / np.sqrt((matrix**2).sum()))
    if term.kind == "style":
        loss = 0.0
        for a in range(channels):
            for b in range(channels):
                g = sum(layer[a, y, x] * layer[b, y, x] for y in range(height) for x in range(width)) / (
                    channels * height * width
                )
                loss += (g - values[f"{i}.target"][n][a, b]) ** 2
        return -float(loss)
    _, height, width = image.shape
    down = sum(((image[:, y + 1] - image[:, y]) ** 2).sum() for y in range(height - 1))
    right = sum(((image[:, :, x + 1] - image[:, :, x]) ** 2).sum() for x in range(width - 1))
    return -float(down + right)


def single(values: dict[str, Any]) -> dict[str, Any]:
    return {name: a if a.dtype == np.int64 else a.astype(np.float32) for name, a in values.items()}


def test_terms_are_their_formulas() -> None:
    images = np.random.default_rng(2).random((2, 3, 9, 8))
    values = feeds(OF_EVERY_KIND, images)
    (layers,) = ReferenceEvaluator(in_float64(model())).run(["y"], {"image": images})
    layers = np.arctanh(layers)
    expected = np.array(
        [[naive(t, images[n], layers[n], i, values, n) for i, t in enumerate(OF_EVERY_KIND)] for n in range(2)]
    )
    session = Engine("cpu").load(weighted_terms(model(), OF_EVERY_KIND))
    terms, score = session.run([TERMS, SCORE], single(values))
    np.testing.assert_allclose(terms, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(score, (values[WEIGHTS] * expected).sum(axis=1), rtol=1e-4)


@pytest.mark.parametrize("term", OF_EVERY_KIND, ids=lambda term: term.kind)
def test_gradients_of_terms(term: Term) -> None:
    images = np.random.default_rng(3).random((2, 3, 9, 8))
    graph = weighted_terms(onnx.shape_inference.infer_shapes(in_float64(model())), [term])
    for value in graph.graph.input:  # including the inputs of the terms
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    for value in graph.graph.output:
        value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    values = feeds([term], images)
    (gradient,) = ReferenceEvaluator(differentiate(graph, of=SCORE, wrt="image")).run(
        ["d_image"], {**values, D_SCORE: np.ones(2)}
    )
    forward, v, step = ReferenceEvaluator(graph), np.random.default_rng(4).normal(size=images.shape), 1e-6
    ahead, behind = (forward.run([SCORE], {**values, "image": images + s * v})[0] for s in (step, -step))
    np.testing.assert_allclose((gradient * v).sum(axis=(1, 2, 3)), (ahead - behind) / (2 * step), rtol=1e-6)


def test_the_gram_matrix_of_a_target() -> None:
    values = np.random.default_rng(5).normal(size=(2, 4, 6, 7)).astype(np.float32)
    for n in range(2):
        for a in range(4):
            for b in range(4):
                expected = (values[n, a].astype(np.float64) * values[n, b]).sum() / (4 * 6 * 7)
                assert gram(values)[n, a, b] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_an_inactive_channel_is_scored_before_the_relu() -> None:
    joined = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 18]> g (float[N,2,H,W] image) => (float[N,4,H,W] layer) {
        a = Relu(image) b = Neg(image) c = Relu(b) layer = Concat<axis=1>(a, c) }"""
    )
    model = differentiate(weighted_terms(joined, [Term("direction", "layer")]), of=SCORE, wrt="image")
    images = np.full((4, 2, 3, 3), -0.5, np.float32)
    feeds = {
        "image": images,
        WEIGHTS: np.ones((4, 1), np.float32),
        "0.direction": np.eye(4, dtype=np.float32),
        D_SCORE: np.ones(4, np.float32),
    }
    score, gradient = Engine("cpu").load(model).run([SCORE, "d_image"], feeds)
    np.testing.assert_allclose(score, [-0.5, -0.5, 0.5, 0.5])
    np.testing.assert_allclose(gradient.sum(axis=(2, 3)), [[1, 0], [0, 1], [-1, 0], [0, -1]], rtol=1e-6)


def test_of_a_direction_only_channels_that_are_to_grow_are_scored_before_the_relu() -> None:
    """Channels 0 and 1 of the layer are asleep at -0.5, 2 and 3 awake at 0.5."""
    proto = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 18]> g (float[N,2,H,W] image) => (float[N,4,H,W] layer) {
        a = Relu(image) b = Neg(image) c = Relu(b) layer = Concat<axis=1>(a, c) }"""
    )
    model = differentiate(weighted_terms(proto, [Term("direction", "layer")]), of=SCORE, wrt="image")
    feeds = {
        "image": np.full((2, 2, 3, 3), -0.5, np.float32),
        WEIGHTS: np.ones((2, 1), np.float32),
        "0.direction": np.array([[2, -3, 0, 1], [-1, -1, -4, 0]], np.float32),
        D_SCORE: np.ones(2, np.float32),
    }
    score, gradient = Engine("cpu").load(model).run([SCORE, "d_image"], feeds)
    np.testing.assert_allclose(score, [2 * -0.5 + 0.5, -4 * 0.5])
    np.testing.assert_allclose(gradient.sum(axis=(2, 3)), [[2, -1], [4, 0]], rtol=1e-6)
