"""Every rule against central differences in float64, and the real runtime in float32 against the same numbers."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from service.autodiff import NO_GRADIENT, RULES, differentiate
from tests.autodiff.cases import CASES, Case
from tests.autodiff.graphs import central_difference, graph, reference

NEEDS_FIXED_SIZES = {case.name for case in CASES if case.name.startswith("Conv-kernel")} | {
    "Conv-same-lower-strided",
    "MaxPool-same-upper",
    "AveragePool-same-upper",
}
ids = [case.name for case in CASES]


def gradient_graph(case: Case, dtype: str, symbolic: bool) -> onnx.ModelProto:
    inputs, constants = case.arrays()
    model = graph(case.body, inputs, constants, dtype, symbolic)
    gradient = differentiate(model, of="y", wrt=list(inputs))
    onnx.checker.check_model(gradient, full_check=True)
    return gradient


def seed_for(case: Case) -> tuple[dict[str, np.ndarray], np.ndarray]:
    inputs, constants = case.arrays()
    y = reference(graph(case.body, inputs, constants))(inputs)["y"]
    return inputs, np.random.default_rng(1).normal(size=y.shape)


@pytest.mark.parametrize("symbolic", [False, True], ids=["fixed", "symbolic"])
@pytest.mark.parametrize("case", CASES, ids=ids)
def test_rule_agrees_with_central_differences(case: Case, symbolic: bool) -> None:
    if symbolic and case.name in NEEDS_FIXED_SIZES:
        pytest.skip("needs fixed sizes")
    inputs, dy = seed_for(case)
    _, constants = case.arrays()
    forward = reference(graph(case.body, inputs, constants))
    gradients = reference(gradient_graph(case, "double", symbolic))({**inputs, "d_y": dy})
    rng = np.random.default_rng(2)
    for name, x in inputs.items():
        v = rng.normal(size=x.shape)
        expected = np.sum(dy * central_difference(lambda at: forward(at)["y"], inputs, {name: v}))
        assert gradients[f"d_{name}"].shape == x.shape
        np.testing.assert_allclose(np.sum(gradients[f"d_{name}"] * v), expected, rtol=2e-7, atol=2e-7)


@pytest.mark.parametrize("symbolic", [False, True], ids=["fixed", "symbolic"])
@pytest.mark.parametrize("case", CASES, ids=ids)
def test_the_runtime_agrees_with_the_reference(case: Case, symbolic: bool) -> None:
    if symbolic and case.name in NEEDS_FIXED_SIZES:
        pytest.skip("needs fixed sizes")
    inputs, dy = seed_for(case)
    feeds = {**inputs, "d_y": dy}
    expected = reference(gradient_graph(case, "double", False))(feeds)
    single = gradient_graph(case, "float", symbolic)
    session = ort.InferenceSession(single.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [f"d_{name}" for name in inputs]
    actual = session.run(names, {k: v.astype(np.float32) for k, v in feeds.items()})
    for name, dx in zip(names, actual, strict=True):
        np.testing.assert_allclose(dx, expected[name], rtol=2e-5, atol=2e-5)


def test_every_rule_has_a_case() -> None:
    used = {node.op_type for case in CASES for node in graph(case.body, case.arrays()[0]).graph.node}
    assert set(RULES) == used & set(RULES)


def test_no_operator_is_both_differentiable_and_not() -> None:
    assert not set(RULES) & NO_GRADIENT
