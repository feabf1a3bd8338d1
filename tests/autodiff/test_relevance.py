"""Layer-wise relevance propagation against its definitions, written out element by element in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator
from scipy.special import erf, softmax

from service.autodiff import gradient_model
from service.autodiff.relevance import (
    Box,
    LayerRule,
    alpha_beta_rule,
    epsilon_rule,
    gamma_rule,
    relevance,
)
from tests.autodiff.reference_ops import CORRECTED

Array = np.ndarray[Any, np.dtype[np.float64]]
Spread = Callable[[Array, Array, Array, Array], Array]  # x (j), contributions (k, j), biases (k), relevance (k) -> (j)

LOW, HIGH = np.array([-1.5, -2.0]), np.array([2.0, 1.5])
RESIDUAL = """
    <ir_version: 8, opset_import: ["" : 18]>
    residual (double[N, 2, 4, 4] x) => (double[N, 1] score)
    <double[3, 2, 3, 3] first, double[3] first_bias, double[3, 3, 3, 3] second, double[3] second_bias,
     double[1, 12] dense, double[1] dense_bias>
    {
      a = Conv<pads = [1, 1, 1, 1]>(x, first, first_bias)
      b = Relu(a)
      c = Conv<pads = [1, 1, 1, 1]>(b, second, second_bias)
      d = Add(b, c)
      e = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(d)
      f = Flatten(e)
      score = Gemm<transB = 1>(f, dense, dense_bias)
    }
"""


def weights(seed: int, biased: bool) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    shapes = {"first": (3, 2, 3, 3), "second": (3, 3, 3, 3), "dense": (1, 12)}
    found = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    biases = {f"{name}_bias": rng.normal(size=shape[:1]) * biased for name, shape in shapes.items()}
    return found | biases


def model_of(text: str, arrays: dict[str, Array]) -> onnx.ModelProto:
    model = onnx.parser.parse_model(text)
    del model.graph.initializer[:]
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in arrays.items())
    return model


def multipliers(model: onnx.ModelProto, x: Array, rules: Any, of: str = "score") -> tuple[Array, Array]:
    """The score and the multipliers of one input."""
    graph = ir.to_proto(gradient_model(model, of, "x", adjusted=rules))
    evaluator = ReferenceEvaluator(graph, new_ops=CORRECTED)
    score, found = evaluator.run([of, "d_x"], {"x": x[None], f"d_{of}": np.ones((1, 1))})
    return score, found[0]


def matrix(kernel: Array) -> Array:
    """A convolution of pictures of 4 x 4 with a margin of zeros as a matrix."""
    outputs, inputs = kernel.shape[:2]
    found = np.zeros((outputs, 4, 4, inputs, 4, 4))
    for y, x, i, j in np.ndindex(4, 4, 3, 3):
        if 0 <= y + i - 1 < 4 and 0 <= x + j - 1 < 4:
            found[:, y, x, :, y + i - 1, x + j - 1] = kernel[:, :, i, j]
    return found.reshape(outputs * 16, inputs * 16)


def away(z: Array, by: float = 1e-6) -> Array:
    return z + np.where(z < 0, -by, by)


def by_epsilon(epsilon: float) -> Spread:
    return lambda _, c, bias, r: (c / away(c.sum(1) + bias, epsilon)[:, None] * r[:, None]).sum(0)


def by_gamma(gamma: float) -> Spread:
    def spread(_: Array, c: Array, bias: Array, r: Array) -> Array:
        total = np.zeros(c.shape[1])
        for k, row in enumerate(c):
            agrees = np.sign(row.sum() + bias[k])
            counted = row + gamma * np.where(np.sign(row) == agrees, row, 0)
            shift = bias[k] + gamma * (bias[k] if np.sign(bias[k]) == agrees else 0)
            total += counted / away(np.array(counted.sum() + shift)) * r[k]
        return total

    return spread


def by_sign(alpha: float, biased: bool = True) -> Spread:
    def spread(_: Array, c: Array, bias: Array, r: Array) -> Array:
        above, below = c.clip(min=0), c.clip(max=0)
        shifts = (bias.clip(min=0), bias.clip(max=0)) if biased else (0, 0)
        first, second = ((part.sum(1) + shift)[:, None] for part, shift in zip((above, below), shifts, strict=True))
        return ((alpha * above / away(first) + (1 - alpha) * below / away(second)) * r[:, None]).sum(0)

    return spread


def written_out(x: Array, w: dict[str, Array], convolution: Spread, dense: Spread, box: bool) -> Array:
    """The relevance of each element of the input."""
    first, second = matrix(w["first"]), matrix(w["second"])
    first_bias, second_bias = np.repeat(w["first_bias"], 16), np.repeat(w["second_bias"], 16)
    a = first @ x.ravel() + first_bias
    b = a.clip(0)
    c = second @ b + second_bias
    d = b + c
    windows = d.reshape(3, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(12, 4)
    f = windows.max(axis=1)
    score = w["dense"] @ f + w["dense_bias"]

    r_f = dense(f, w["dense"] * f, w["dense_bias"], score)
    r_windows = np.zeros((12, 4))
    r_windows[np.arange(12), windows.argmax(axis=1)] = r_f
    r_d = r_windows.reshape(3, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).ravel()
    r_b, r_c = r_d * b / d, r_d * c / d
    r_b = r_b + convolution(b, second * b, second_bias, r_c)
    flat = x.ravel()
    if not box:
        return convolution(flat, first * flat, first_bias, r_b)
    low, high = np.repeat(LOW, 16), np.repeat(HIGH, 16)
    z = first * flat - first.clip(min=0) * low - first.clip(max=0) * high
    return (z / away(z.sum(1))[:, None] * r_b[:, None]).sum(0)


CASES: dict[str, tuple[LayerRule, Spread]] = {
    "zero": (epsilon_rule(0), by_epsilon(0)),
    "epsilon": (epsilon_rule(0.3), by_epsilon(0.3)),
    "gamma": (gamma_rule(0.4), by_gamma(0.4)),
    "alpha_beta": (alpha_beta_rule(2), by_sign(2)),
    "z_plus": (alpha_beta_rule(1), by_sign(1)),
    "excitation": (alpha_beta_rule(1, biased=False), by_sign(1, biased=False)),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("box", [False, True], ids=["", "box"])
@pytest.mark.parametrize("name", CASES)
def test_each_rule_against_its_definition(name: str, box: bool, seed: int) -> None:
    rule, spread = CASES[name]
    arrays = weights(seed, biased=True)
    x = np.random.default_rng(100 + seed).uniform(LOW[:, None, None], HIGH[:, None, None], (2, 4, 4))
    at = Box("x", LOW, HIGH) if box else None
    _, found = multipliers(model_of(RESIDUAL, arrays), x, relevance(rule, rule, at))
    expected = written_out(x, arrays, spread, spread, box).reshape(x.shape)
    np.testing.assert_allclose(found * (away(x) if box else x), expected, rtol=1e-4, atol=1e-6)


def test_rules_differ_by_kind_of_layer() -> None:
    arrays, x = weights(0, biased=True), np.random.default_rng(0).normal(size=(2, 4, 4))
    rules = relevance(gamma_rule(0.4), epsilon_rule(0.3))
    _, found = multipliers(model_of(RESIDUAL, arrays), x, rules)
    expected = written_out(x, arrays, by_gamma(0.4), by_epsilon(0.3), box=False).reshape(x.shape)
    np.testing.assert_allclose(found * x, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["zero", "gamma", "alpha_beta", "z_plus"])
def test_without_biases_the_score_is_conserved(name: str) -> None:
    arrays, x = weights(1, biased=False), np.random.default_rng(1).normal(size=(2, 4, 4))
    score, found = multipliers(model_of(RESIDUAL, arrays), x, relevance(CASES[name][0], CASES[name][0]))
    assert (found * x).sum() == pytest.approx(score.item(), rel=1e-3)


ATTENTION = """
    <ir_version: 8, opset_import: ["" : 20]>
    attention (double[N, 5, 4] x) => (double[N, 1] score)
    <double[4] scale, double[4] shift, double[4, 4] wq, double[4, 4] wk, double[4, 4] wv, double[4, 4] wm,
     double[4, 1] head, int64[1] places>
    {
      z = LayerNormalization(x, scale, shift)
      q = MatMul(z, wq)
      k = MatMul(z, wk)
      v = MatMul(z, wv)
      kt = Transpose<perm = [0, 2, 1]>(k)
      s = MatMul(q, kt)
      p = Softmax(s)
      o = MatMul(p, v)
      r = Add(x, o)
      m = MatMul(r, wm)
      g = Gelu(m)
      u = Sigmoid(m)
      h = Mul(g, u)
      w = ReduceMean<keepdims = 0>(h, places)
      score = MatMul(w, head)
    }
"""


def test_attention_against_differences_of_what_the_rules_linearize() -> None:
    """The multipliers are the derivative of the network with its deviations and halves of its products held fixed."""
    rng = np.random.default_rng(2)
    w = {name: rng.normal(size=(4, 4)) for name in ("wq", "wk", "wv", "wm")}
    w |= {
        "scale": rng.normal(size=4),
        "shift": rng.normal(size=4),
        "head": rng.normal(size=(4, 1)),
        "places": np.array([1]),
    }
    at = rng.normal(size=(5, 4))
    fixed: dict[str, Array] = {}

    def held(name: str, value: Array) -> Array:
        """The value at the point of interest."""
        return fixed.setdefault(name, value)

    def product(name: str, a: Array, b: Array, times: Callable[[Array, Array], Array]) -> Array:
        return (times(a, held(f"{name} right", b)) + times(held(f"{name} left", a), b)) / 2

    def handed_on(name: str, x: Array, y: Array) -> Array:
        return x * held(name, y / away(x))

    def network(x: Array) -> float:
        centred = x - x.mean(axis=1, keepdims=True)
        z = centred / held("deviation", np.sqrt(centred.var(axis=1, keepdims=True) + 1e-5)) * w["scale"] + w["shift"]
        p = softmax(product("scores", z @ w["wq"], (z @ w["wk"]).T, np.matmul), axis=1)
        m = (x + product("mixed", p, z @ w["wv"], np.matmul)) @ w["wm"]
        g = handed_on("gelu", m, m * (1 + erf(m / np.sqrt(2))) / 2)
        u = handed_on("sigmoid", m, 1 / (1 + np.exp(-m)))
        return float((product("gate", g, u, np.multiply).mean(axis=0) @ w["head"]).item())

    whole = network(at)
    expected, step = np.zeros_like(at), 1e-6
    for i in np.ndindex(at.shape):
        moved = np.zeros_like(at)
        moved[i] = step
        expected[i] = (network(at + moved) - network(at - moved)) / (2 * step)
    score, found = multipliers(model_of(ATTENTION, w), at, relevance(epsilon_rule(0), epsilon_rule(0)))
    assert score.item() == pytest.approx(whole, rel=1e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


SPELLED = """
    <ir_version: 8, opset_import: ["" : 20]>
    gelu (double[N, 5, 4] x) => (double[N, 5, 4] score)
    <double[1] root, double[1] one, double[1] half>
    {
      scaled = Div(x, root)
      error = Erf(scaled)
      gate = Add(error, one)
      product = Mul(x, gate)
      score = Mul(product, half)
    }
"""
WHOLE = """
    <ir_version: 8, opset_import: ["" : 20]>
    gelu (double[N, 5, 4] x) => (double[N, 5, 4] score) { score = Gelu(x) }
"""


def test_an_activation_that_is_written_out_is_one_all_the_same() -> None:
    x = np.random.default_rng(3).normal(size=(1, 5, 4))
    constants = {"root": np.sqrt([2.0]), "one": np.ones(1), "half": np.array([0.5])}
    rules = relevance(epsilon_rule(0), epsilon_rule(0))
    found = []
    for model in (model_of(SPELLED, constants), model_of(WHOLE, {})):
        evaluator = ReferenceEvaluator(
            ir.to_proto(gradient_model(model, "score", "x", adjusted=rules)), new_ops=CORRECTED
        )
        found.append(evaluator.run(["d_x"], {"x": x, "d_score": np.ones_like(x)})[0])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)
    np.testing.assert_allclose(found[1], (1 + erf(x / np.sqrt(2))) / 2, rtol=1e-4)
