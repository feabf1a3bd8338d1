"""Rewritten networks compute the same values and the same gradients."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from service.autodiff import RULES, differentiate
from service.autodiff.nchwc import NCHWC_RULES
from service.graphs.nchwc import for_nchwc
from service.graphs.rewrites import simplify
from service.networks.network import Network
from service.networks.objectives import class_score
from service.networks.questions import CLASS_ID, D_SCORE, SCORE
from tests.autodiff.graphs import graph, reference

RNG = np.random.default_rng(0)


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def both(
    body: str,
    constants: dict[str, np.ndarray],
    x: np.ndarray,
    rewrite: Callable[[onnx.ModelProto], onnx.ModelProto] = simplify,
) -> tuple[onnx.ModelProto, list[dict[str, np.ndarray]]]:
    model = onnx.shape_inference.infer_shapes(graph(body, {"x": x}, constants))
    rewritten = rewrite(model)
    answers = []
    for one in (model, rewritten):
        forward = reference(one)({"x": x})
        dy = np.random.default_rng(1).normal(size=forward["y"].shape)
        answers.append(reference(differentiate(one, "y", "x"))({"x": x, "d_y": dy}))
    return rewritten, answers


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "a = Conv(x, w, b) r = Relu(a) y = MaxPool<kernel_shape=[3,3], strides=[2,2]>(r)",
            ["Conv", "MaxPool", "Relu"],
        ),
        ("r = Relu(x) y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)", ["MaxPool", "Relu"]),
        ("p = Conv(x, u, c) y = Conv<strides=[2,2]>(p, w, b)", ["Conv"]),
        ("p = Conv(x, u) y = Conv(p, w)", ["Conv"]),
        ("p = Conv(x, u) y = Conv<pads=[1,1,1,1]>(p, w)", ["Conv", "Conv"]),
        ("p = Conv(x, u) q = Conv(p, w) s = Slice(p, z, e, k) y = Add(q, s)", ["Conv", "Conv", "Slice", "Add"]),
        (
            "a = Relu(x) t = Concat<axis=1>(a, x) y = MaxPool<kernel_shape=[3,3]>(t)",
            ["MaxPool", "Relu", "MaxPool", "Concat"],
        ),
        ("t = Concat<axis=2>(x, x) y = MaxPool<kernel_shape=[3,3]>(t)", ["Concat", "MaxPool"]),
        (
            "r = Relu(x) p = MaxPool<kernel_shape=[3,3]>(r) s = Slice(r, z, e, k) y = Add(p, s)",
            ["Relu", "MaxPool", "Slice", "Add"],
        ),
        (
            "r = Tanh(x) g = Gather<axis=1>(r, i0) h = Gather<axis=1>(r, i2) y = Mul(g, h)",
            ["Tanh", "Split", "Squeeze", "Squeeze", "Mul"],
        ),
        (
            "r = Tanh(x) g = Gather<axis=1>(r, i0) h = Gather<axis=-3>(r, im) s = Slice(r, z, e, k)"
            " a = Mul(g, h) t = ReduceSum<keepdims=0>(s) y = Mul(a, t)",
            ["Tanh", "Split", "Squeeze", "Squeeze", "Slice", "Mul", "ReduceSum", "Mul"],
        ),
        ("r = Tanh(x) g = Gather<axis=1>(r, i0) y = Neg(g)", ["Tanh", "Gather", "Neg"]),
    ],
)
def test_values_and_gradients_stay(body: str, expected: list[str]) -> None:
    x = RNG.normal(size=(2, 3, 9, 8))
    values = {
        "w": RNG.normal(size=(3, 3, 3, 3)),
        "b": RNG.normal(size=3),
        "u": RNG.normal(size=(3, 3, 1, 1)),
        "c": RNG.normal(size=3),
    }
    values |= {"i0": np.array(0), "i2": np.array(2), "im": np.array(-2)}
    values |= {"z": np.array([0, 0]), "e": np.array([7, 6]), "k": np.array([2, 3])}
    used = {
        name: value
        for name, value in values.items()
        if f" {name}" in body.replace(",", "").replace("(", " ").replace(")", " ")
    }
    rewritten, (before, after) = both(body, used, x)
    assert operators(rewritten) == expected
    for name in ("y", "d_x"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-12, atol=1e-12)


HEAD = "p = GlobalAveragePool(c) q = GlobalAveragePool(r) f = Flatten(p) g = Flatten(q) y = Add(f, g)"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a = Relu(x) t = Concat<axis=1>(a, x) y = Conv<pads=[1,1,1,1]>(t, w, b)", ["Relu", "Conv", "Conv", "Add"]),
        (
            "a = Relu(x) t = Concat<axis=1>(a, x) c = Conv(t, w) s = Slice(t, z, e, k) y = Add(c, s)",
            ["Relu", "Concat", "Conv", "Slice", "Add"],
        ),
        ("a = Relu(x) t = Concat<axis=2>(a, x) y = Conv(t, u)", ["Relu", "Concat", "Conv"]),
        (
            f"c = Conv(x, v, d) r = Relu(c) {HEAD}",
            "Conv Relu GlobalAveragePool Slice GlobalAveragePool Slice Flatten Flatten Add".split(),
        ),
        ("c = Conv(x, v) p = GlobalAveragePool(c) y = Add(p, c)", ["Conv", "GlobalAveragePool", "Add"]),
    ],
)
def test_the_blocked_layout_changes_no_values(body: str, expected: list[str]) -> None:
    x = RNG.normal(size=(2, 3, 9, 8))
    values = {"w": (3, 6, 3, 3), "b": (3,), "u": (3, 3, 1, 1), "v": (5, 3, 1, 1), "d": (5,)}
    constants = {
        name: RNG.normal(size=shape)
        for name, shape in values.items()
        if f" {name}" in body.replace(")", " ").replace(",", "")
    }
    if "Slice" in body:
        constants |= {"z": np.array([0, 0, 0]), "e": np.array([3, 7, 6]), "k": np.array([1, 2, 3])}
    rewritten, (before, after) = both(body, constants, x, for_nchwc)
    assert sorted(operators(rewritten)) == sorted(expected)
    for name in ("y", "d_x"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-12, atol=1e-12)


def test_ties_stay_where_they_are() -> None:
    x = RNG.integers(-2, 3, (2, 3, 9, 8)).astype(float)
    _, (before, after) = both("r = Relu(x) y = MaxPool<kernel_shape=[3,3], strides=[2,2]>(r)", {}, x)
    positive = x > 0
    np.testing.assert_array_equal(after["d_x"][positive], before["d_x"][positive])
    assert not after["d_x"][~positive].any()


def test_the_chosen_channel_has_the_gradient_of_the_logit(network: Network, cat: bytes) -> None:
    proto, manifest = network.model.proto, network.model.manifest
    x = np.random.default_rng(0).random((2, 3, 65, 70)).astype(np.float32)
    plain = reference(differentiate(proto, of="logits", wrt="image"))
    seed = np.zeros((2, 1000), np.float32)
    ids = np.array([533, 7])
    seed[[0, 1], ids] = 1
    expected = plain({"image": x, "d_logits": seed})
    rules = RULES | NCHWC_RULES
    scored = differentiate(class_score(simplify(proto), manifest), of=SCORE, wrt="image", rules=rules)
    actual = reference(scored)({"image": x, CLASS_ID: ids, D_SCORE: np.ones(2, np.float32)})
    logits = expected["logits"][[0, 1], ids]
    assert (logits > 0).all()
    np.testing.assert_allclose(actual[SCORE], logits, rtol=1e-5)
    np.testing.assert_allclose(actual["d_image"], expected["d_image"], rtol=1e-3, atol=1e-4)
    # The gradient passes the convolutions of the fires, and the first one in four phases.
    kernels = {i.name: list(i.dims) for i in scored.graph.initializer}
    convolutions = [
        kernels[node.input[1]] for node in scored.graph.node if node.op_type == "Conv" and "grad" in node.name
    ]
    assert sum(channels > 1 for _, channels, *_ in convolutions) == 8 * 3 + 4
