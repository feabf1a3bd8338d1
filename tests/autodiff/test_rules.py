"""Every rule against central differences in float64, and the real runtime in float32 against the same numbers."""

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from service.autodiff import NO_GRADIENT, RULES, NotDifferentiable, Rule, differentiate
from service.autodiff.lowering import LOWERINGS
from service.autodiff.nchwc import NCHWC_RULES
from tests.autodiff.cases import CASES as COMMON_CASES
from tests.autodiff.cases import Case
from tests.autodiff.cases_more import MORE_CASES
from tests.autodiff.graphs import central_difference, graph, reference

CASES = [*COMMON_CASES, *MORE_CASES]
# Cases that need fixed sizes, by the beginning of their names: what is said when sizes are symbolic.
REFUSALS = {
    "AveragePool-same-upper": "auto_pad with stride 2 needs fixed spatial sizes",
    "Conv-kernel": "the kernel of Conv has no fixed shape",
    "Conv-same-lower-strided": "auto_pad with stride 2 needs fixed spatial sizes",
    "ConvTranspose": "the kernel of ConvTranspose has no fixed shape",
    "Resize": "Resize of a size that is not fixed has no rule",
}


def refusal(case: Case) -> str | None:
    return next((message for name, message in REFUSALS.items() if case.name.startswith(name)), None)


def operators(case: Case) -> set[str]:
    return {node.op_type for node in graph(case.body, case.arrays()[0]).graph.node}


# Every case with the portable rules, and with those of the blocked layout where one of them has a part in it.
PORTABLE = [pytest.param(case, RULES, id=f"{case.name}-portable") for case in CASES]
NCHWC = [
    pytest.param(case, RULES | NCHWC_RULES, id=f"{case.name}-nchwc")
    for case in CASES
    if operators(case) & set(NCHWC_RULES)
]
WORKING = pytest.mark.parametrize(
    ("case", "rules", "symbolic"),
    [
        pytest.param(*param.values, symbolic, id=f"{param.id}-{'symbolic' if symbolic else 'fixed'}")
        for param in PORTABLE + NCHWC
        for symbolic in (False, True)
        if not symbolic or (param.values[0].symbolic and refusal(param.values[0]) is None)
    ],
)
REFUSED = pytest.mark.parametrize(
    ("case", "rules"), [param for param in PORTABLE + NCHWC if refusal(param.values[0]) is not None]
)


def gradient_graph(case: Case, rules: Mapping[str, Rule], dtype: str, symbolic: bool) -> onnx.ModelProto:
    inputs, constants = case.arrays()
    model = graph(case.body, inputs, constants, dtype, symbolic and case.symbolic, case.opset)
    gradient = differentiate(model, of="y", wrt=list(inputs), rules=rules)
    onnx.checker.check_model(gradient, full_check=True)
    return gradient


def seed_for(case: Case) -> tuple[dict[str, np.ndarray], np.ndarray]:
    inputs, constants = case.arrays()
    y = reference(graph(case.body, inputs, constants, opset=case.opset))(inputs)["y"]
    return inputs, np.random.default_rng(1).normal(size=y.shape)


@WORKING
def test_rule_agrees_with_central_differences(case: Case, rules: Mapping[str, Rule], symbolic: bool) -> None:
    inputs, dy = seed_for(case)
    _, constants = case.arrays()
    forward = reference(graph(case.body, inputs, constants, opset=case.opset))
    gradients = reference(gradient_graph(case, rules, "double", symbolic))({**inputs, "d_y": dy})
    rng = np.random.default_rng(2)
    for name, x in inputs.items():
        v = rng.normal(size=x.shape)
        expected = np.sum(dy * central_difference(lambda at: forward(at)["y"], inputs, {name: v}))
        assert gradients[f"d_{name}"].shape == x.shape
        np.testing.assert_allclose(np.sum(gradients[f"d_{name}"] * v), expected, rtol=2e-7, atol=2e-7)


@WORKING
def test_the_runtime_agrees_with_the_reference(case: Case, rules: Mapping[str, Rule], symbolic: bool) -> None:
    inputs, dy = seed_for(case)
    feeds = {**inputs, "d_y": dy}
    expected = reference(gradient_graph(case, rules, "double", False))(feeds)
    single = gradient_graph(case, rules, "float", symbolic)
    session = ort.InferenceSession(single.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [f"d_{name}" for name in inputs]
    actual = session.run(names, {k: v.astype(np.float32) for k, v in feeds.items()})
    for name, dx in zip(names, actual, strict=True):
        np.testing.assert_allclose(dx, expected[name], rtol=2e-5, atol=2e-5)


@REFUSED
def test_symbolic_sizes_are_refused_where_a_rule_needs_them(case: Case, rules: Mapping[str, Rule]) -> None:
    with pytest.raises(NotDifferentiable, match=refusal(case)):
        gradient_graph(case, rules, "double", symbolic=True)


def test_every_rule_has_a_case() -> None:
    used = set().union(*map(operators, CASES))
    quantized = {"QuantizeLinear", "DynamicQuantizeLinear", "DequantizeLinear"}  # tests/models/test_quantized.py
    assert set(RULES) - quantized - {"Celu"} == used & set(RULES)  # see below
    assert set(LOWERINGS) - {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"} <= used


def test_celu_which_is_defined_for_float32_only() -> None:
    text = """<ir_version: 9, opset_import: ["": 18]> g (float[4] x) => (float[4] y) { y = Celu<alpha=0.7>(x) }"""
    model = differentiate(onnx.parser.parse_model(text), of="y", wrt="x")
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.array([-2.0, -0.3, 0.4, 3.0], np.float32)
    (dx,) = session.run(["d_x"], {"x": x, "d_y": np.ones(4, np.float32)})
    wide, step = x.astype(np.float64), 1e-6

    def celu(v: np.ndarray) -> np.ndarray:
        return np.maximum(v, 0) + np.minimum(0, 0.7 * np.expm1(v / 0.7))

    np.testing.assert_allclose(dx, (celu(wide + step) - celu(wide - step)) / (2 * step), rtol=1e-5)


def test_a_window_larger_than_the_image_is_a_global_average() -> None:
    """Which the reference evaluator gets wrong; ONNX Runtime does not."""
    gradients = []
    x, dy = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32), np.ones((2, 3, 1, 1), np.float32)
    for body in ("AveragePool<kernel_shape=[9,9], strides=[9,9], ceil_mode=1>(x)", "GlobalAveragePool(x)"):
        model = differentiate(graph(f"y = {body}", {"x": x}, dtype="float"), of="y", wrt="x")
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        gradients.append(session.run(["y", "d_x"], {"x": x, "d_y": dy}))
    for pooled, averaged in zip(*gradients, strict=True):
        np.testing.assert_allclose(pooled, averaged, rtol=1e-6)


def test_quantization_is_passed_straight_through() -> None:
    text = """<ir_version: 9, opset_import: ["": 18]> g (float[6] x) => (float[6] y)
        <float s = {0.5}, int8 z = {10}> { q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) y = Mul(d, d) }"""
    x = np.array([-100.0, -3.3, -0.1, 0.2, 7.7, 90.0], np.float32)  # int8 with this scale holds from -69 to 58.5
    model = differentiate(onnx.parser.parse_model(text), of="y", wrt="x")
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    y, dx = session.run(["y", "d_x"], {"x": x, "d_y": np.ones(6, np.float32)})
    rounded = np.clip(np.round(x / 0.5) + 10, -128, 127) * 0.5 - 5
    np.testing.assert_allclose(y, rounded**2)
    np.testing.assert_allclose(dx, np.where(np.abs(x - rounded) <= 0.5, 2 * rounded, 0))
    assert (dx[0], dx[-1]) == (0, 0)


def test_no_operator_is_both_differentiable_and_not() -> None:
    assert not set(RULES) & NO_GRADIENT


def test_modes_of_grid_samples_had_other_names_before_opset_20() -> None:
    x, g = (np.random.default_rng(0).uniform(-1, 1, shape) for shape in ((1, 2, 5, 4), (1, 3, 3, 2)))
    for old, new in (("bilinear", "linear"), ("bicubic", "cubic"), ("nearest", "nearest")):
        gradients = []
        for mode, opset in ((old, 16), (new, 20)):
            model = graph(f'y = GridSample<mode="{mode}">(x, g)', {"x": x}, {"g": g}, "float", opset=opset)
            session = ort.InferenceSession(
                differentiate(model, of="y", wrt="x").SerializeToString(), providers=["CPUExecutionProvider"]
            )
            feeds = {"x": x.astype(np.float32), "d_y": np.ones((1, 2, 3, 3), np.float32)}
            gradients.append(session.run(["y", "d_x"], feeds))
        for before, after in zip(*gradients, strict=True):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("case", MORE_CASES, ids=[case.name for case in MORE_CASES])
def test_what_is_written_out_computes_the_same(case: Case) -> None:
    inputs, constants = case.arrays()
    expected = reference(graph(case.body, inputs, constants, opset=case.opset))(inputs)["y"]
    session = ort.InferenceSession(
        gradient_graph(case, RULES, "float", False).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feeds = {name: x.astype(np.float32) for name, x in {**inputs, "d_y": expected}.items()}
    np.testing.assert_allclose(session.run(["y"], feeds)[0], expected, rtol=2e-5, atol=2e-5)
