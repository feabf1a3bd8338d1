"""DeepLIFT against its definitions in float64, and its promise that contributions sum up."""

from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator
from scipy.special import erf

from service.autodiff import gradient_model
from service.autodiff.deeplift import rescale
from tests.autodiff.reference_ops import CORRECTED
from tests.autodiff.test_relevance import ATTENTION, RESIDUAL, SPELLED, WHOLE, Array, matrix, model_of, weights


def multipliers(model: Any, x: Array, reference: Array) -> tuple[Array, Array]:
    """The scores and the multipliers of one input."""
    import onnx_ir as ir

    graph = ir.to_proto(gradient_model(model, "score", "x", adjusted=rescale("reference")))
    evaluator = ReferenceEvaluator(graph, new_ops=CORRECTED)
    (score,) = evaluator.run(["score"], {"x": x[None], "reference": reference[None], "d_score": np.ones((1, 1))})
    feeds = {"x": x[None], "reference": reference[None], "d_score": np.ones_like(score)}
    score, found = evaluator.run(["score", "d_x"], feeds)
    return score[0], found[0]


def slope(x: Array, x0: Array) -> Array:
    """The rescale rule for a Relu."""
    return np.divide(x.clip(0) - x0.clip(0), x - x0, out=(x > 0).astype(float), where=x != x0)


def written_out(x: Array, x0: Array, w: dict[str, Array]) -> Array:
    """The contribution of each element of the input of the network with a residual."""
    first, second = matrix(w["first"]), matrix(w["second"])
    runs = []
    for flat in (x.ravel(), x0.ravel()):
        a = first @ flat + np.repeat(w["first_bias"], 16)
        b = a.clip(0)
        d = b + second @ b + np.repeat(w["second_bias"], 16)
        runs.append((a, d.reshape(3, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(12, 4)))
    (a, windows), (a0, windows0) = runs
    in_windows = np.zeros((12, 4))
    for k, (row, row0, m) in enumerate(zip(windows, windows0, w["dense"][0], strict=True)):
        at = row.argmax() if row.max() > row0.max() else row0.argmax()  # who rose, or else who fell
        in_windows[k, at] = m * (row.max() - row0.max()) / (row - row0)[at]
    m_d = in_windows.reshape(3, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).ravel()
    m_x = ((m_d + m_d @ second) * slope(a, a0)) @ first
    return (m_x * (x - x0).ravel()).reshape(x.shape)


@pytest.mark.parametrize("seed", range(4))
def test_a_network_with_residual_and_maxima(seed: int) -> None:
    w, rng = weights(seed, biased=True), np.random.default_rng(seed)
    x, x0 = rng.normal(size=(2, 2, 4, 4))
    score, found = multipliers(model_of(RESIDUAL, w), x, x0)
    expected = written_out(x, x0, w)
    np.testing.assert_allclose(found * (x - x0), expected, rtol=1e-6, atol=1e-9)
    other, _ = multipliers(model_of(RESIDUAL, w), x0, x)
    assert expected.sum() == pytest.approx((score - other).item())


def test_attention_sums_up() -> None:
    rng = np.random.default_rng(2)
    w = {name: rng.normal(size=(4, 4)) for name in ("wq", "wk", "wv", "wm")}
    w |= {"scale": rng.normal(size=4), "shift": rng.normal(size=4), "head": rng.normal(size=(4, 1))}
    w |= {"places": np.array([1])}
    x, x0 = rng.normal(size=(2, 5, 4))
    score, found = multipliers(model_of(ATTENTION, w), x, x0)
    other, _ = multipliers(model_of(ATTENTION, w), x0, x)
    assert (found * (x - x0)).sum() == pytest.approx((score - other).item(), rel=1e-9)


def test_an_activation_that_is_written_out_sums_up_as_well() -> None:
    x, x0 = np.random.default_rng(3).normal(size=(2, 5, 4))
    constants = {"root": np.sqrt([2.0]), "one": np.ones(1), "half": np.array([0.5])}
    gain = x * (1 + erf(x / np.sqrt(2))) / 2 - x0 * (1 + erf(x0 / np.sqrt(2))) / 2
    for model in (model_of(SPELLED, constants), model_of(WHOLE, {})):
        _, found = multipliers(model, x, x0)
        np.testing.assert_allclose(found * (x - x0), gain, rtol=1e-9)


OTHERS = {
    "Div": "y = Div(x, s)",
    "LayerNormalization": "y = LayerNormalization<axis = 1>(s, weight)",
    "InstanceNormalization": "y = InstanceNormalization(s, scale, shift)",
    "RMSNormalization": "y = RMSNormalization<axis = -1>(s, row)",
    "LRN": "y = LRN<size = 3, alpha = 0.5>(x)",
    "Softmax": "y = Softmax<axis = 1>(x)",
    "Pow": "h = Tanh(x) y = Pow(s, h)",
    "Max": "h = Mul(x, half) y = Max(h, half)",
    "Reciprocal": "y = Reciprocal(s)",
    "GlobalMaxPool": "y = GlobalMaxPool(x)",
    "ReduceMax": "y = ReduceMax(x, places)",
    "Min": "h = Mul(x, half) y = Min(h, half, x)",
    "Where": "low = Less(x, half) y = Where(low, s, x)",
}


@pytest.mark.parametrize("name", OTHERS)
def test_contributions_sum_up(name: str) -> None:
    text = f"""
    <ir_version: 8, opset_import: ["" : 23]>
    other (double[N, 3, 4, 4] x) => (double[N, 1] score)
    <double half, double[48, 1] head, int64[1] places, double[3, 4, 4] weight, double[3] scale, double[3] shift,
     double[4] row>
    {{
      t = Exp(x)
      s = Add(t, half)
      {OTHERS[name]}
      e = Expand(y, shape)
      f = Flatten(e)
      score = MatMul(f, head)
    }}
    """.replace("int64[1] places,", "int64[1] places, int64[4] shape,")
    rng = np.random.default_rng(4)
    arrays = {
        "half": np.array(0.5),
        **{n: rng.normal(size=s) for n, s in (("weight", (3, 4, 4)), ("scale", 3), ("shift", 3), ("row", 4))},
        "head": rng.normal(size=(48, 1)),
        "places": np.array([1]),
        "shape": np.array([1, 3, 4, 4]),
    }
    x, x0 = rng.normal(size=(2, 3, 4, 4))
    if name in ("Pow", "LRN"):  # averaged over five points only
        x0 = x + (x0 - x) / 4
    model = model_of(text, arrays)
    score, found = multipliers(model, x, x0)
    other, _ = multipliers(model, x0, x)
    if name == "Where":  # the choice is that of the picture
        low = x < 0.5
        expected = (np.where(low, np.exp(x) + 0.5, x) - np.where(low, np.exp(x0) + 0.5, x0)).ravel() @ arrays["head"]
    else:
        expected = score - other
    assert (found * (x - x0)).sum() == pytest.approx(expected.item(), rel=1e-4)


def test_what_equals_the_reference_has_the_derivative() -> None:
    x = np.random.default_rng(5).normal(size=(5, 4))
    _, found = multipliers(model_of(WHOLE, {}), x, x)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(found, (1 + erf(x / np.sqrt(2))) / 2 + x * density, rtol=1e-9)
