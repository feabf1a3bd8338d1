"""The contract of `differentiate`."""

from collections.abc import Mapping

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from service.autodiff import NO_GRADIENT, RULES, NotDifferentiable, Ops, Rule, differentiate, missing_rules
from service.autodiff.nchwc import BLOCK, NCHWC_RULES
from service.autodiff.relu_variants import deconvnet, guided
from tests.autodiff.graphs import graph, reference

X = np.array([[-2.0, 3.0], [0.5, -1.0]])


def model(body: str, symbolic: bool = False, opset: int = 18) -> onnx.ModelProto:
    return onnx.shape_inference.infer_shapes(graph(body, {"x": X}, symbolic=symbolic, opset=opset))


def test_the_result_has_all_of_the_model_and_the_gradient() -> None:
    result = differentiate(model("y = Mul(x, x)"), of="y", wrt="x")
    assert [i.name for i in result.graph.input] == ["x", "d_y"]
    assert [o.name for o in result.graph.output] == ["y", "d_x"]
    dy = np.array([[1.0, 2.0], [3.0, 4.0]])
    answer = reference(result)({"x": X, "d_y": dy})
    np.testing.assert_array_equal(answer["y"], X * X)
    np.testing.assert_array_equal(answer["d_x"], 2 * X * dy)


def test_the_model_is_not_changed() -> None:
    before = model("y = Relu(x)")
    copy = before.SerializeToString()
    differentiate(before, of="y", wrt="x")
    assert before.SerializeToString() == copy


def test_the_result_differentiates_again() -> None:
    first = differentiate(model("y = Mul(x, x)"), of="y", wrt="x")
    second = differentiate(first, of="d_x", wrt="x")
    feeds = {"x": X, "d_y": np.ones_like(X), "d_d_x": np.ones_like(X)}
    np.testing.assert_array_equal(reference(second)(feeds)["d_x_2"], 2 * np.ones_like(X))


def test_inner_values_can_be_differentiated_and_differentiated_by() -> None:
    result = differentiate(model("a = Mul(x, x) b = Exp(a) y = Neg(b)"), of="b", wrt=["a", "x"])
    answer = reference(result)({"x": X, "d_b": np.ones_like(X)})
    np.testing.assert_allclose(answer["d_a"], np.exp(X * X))
    np.testing.assert_allclose(answer["d_x"], np.exp(X * X) * 2 * X)


def test_all_operators_without_a_rule_are_named_at_once() -> None:
    tangled = model("a = Asin(x) b = Acos(a) c = Relu(b) y = Add(c, x)")
    for node in tangled.graph.node:
        node.name = f"the_{node.op_type}"
    rules = {op_type: rule for op_type, rule in RULES.items() if op_type not in ("Asin", "Acos")}
    with pytest.raises(NotDifferentiable, match=r"Asin \(node 'the_Asin'\)\n.*Acos \(node 'the_Acos'\)"):
        differentiate(tangled, "y", "x", rules)
    assert missing_rules(tangled, "y", "x", rules) == ["Asin (the_Asin)", "Acos (the_Acos)"]


def test_operators_beside_the_path_need_no_rule() -> None:
    result = differentiate(
        model("a = Sin(x) s = Shape(a) b = ConstantOfShape(s) c = CastLike(b, x) d = Exp(x) y = Add(c, d)"), "y", "x"
    )
    np.testing.assert_allclose(reference(result)({"x": X, "d_y": np.ones_like(X)})["d_x"], np.exp(X))


@pytest.mark.parametrize("body", ["a = Sign(x) y = Exp(a)", "s = Shape(x) y = ConstantOfShape(s)"])
def test_independence_is_an_error(body: str) -> None:
    with pytest.raises(NotDifferentiable, match="does not depend"):
        differentiate(model(body), of="y", wrt="x")


def test_an_unknown_value_is_an_error() -> None:
    with pytest.raises(NotDifferentiable, match="no value 'z'"):
        differentiate(model("y = Relu(x)"), of="z", wrt="x")


def test_rules_can_be_exchanged() -> None:
    def straight_through(op: Ops, node: ir.Node, dy: ir.Value) -> list[ir.Value]:
        return [op.Mul(dy, 2)]

    exchanged = differentiate(model("y = Relu(x)"), "y", "x", RULES | {"Relu": Rule(straight_through)})
    dy = np.array([[1.0, -1.0], [2.0, 1.0]])
    np.testing.assert_array_equal(reference(exchanged)({"x": X, "d_y": dy})["d_x"], 2 * dy)


FORMS = pytest.mark.parametrize("rules", [RULES, RULES | NCHWC_RULES], ids=["portable", "nchwc"])


@FORMS
def test_the_variants_of_a_relu(rules: Mapping[str, Rule]) -> None:
    x, dy = np.array([-1.0, 0.0, 2.0, 3.0]), np.array([1.0, 2.0, -1.0, 4.0])
    relu = graph("y = Relu(x)", {"x": x})
    for variant, expected in ((dict, [0, 0, -1, 4]), (guided, [0, 0, 0, 4]), (deconvnet, [1, 2, 0, 4])):
        answer = reference(differentiate(relu, "y", "x", variant(rules)))({"x": x, "d_y": dy})
        np.testing.assert_array_equal(answer["d_x"], expected)


def test_the_blocked_layout_gets_its_own_operators() -> None:
    x, w = np.ones((1, 3, 9, 9)), np.ones((BLOCK, 3, 3, 3))
    body = "c = Conv<strides=[2,2], pads=[1,1,1,1]>(x, w) r = Relu(c) y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)"
    forward = graph(body, {"x": x}, {"w": w})
    portable, blocked = (
        {node.op_type for node in differentiate(forward, "y", "x", rules).graph.node}
        for rules in (RULES, RULES | NCHWC_RULES)
    )
    textbook = {"ConvTranspose", "Greater", "Where", "ScatterElements"}
    assert portable >= textbook
    assert not blocked & textbook


def test_only_standard_operators_come_out(network) -> None:  # type: ignore[no-untyped-def]
    result = differentiate(network.model.proto, of="logits", wrt="image")
    onnx.checker.check_model(result, full_check=True)
    assert {node.domain for node in result.graph.node} == {""}
    assert {o.domain for o in result.opset_import} == {""}


def test_what_nothing_needs_is_pruned() -> None:
    result = differentiate(model("y = Mul(x, x)"), of="y", wrt="x")
    needed = {name for node in result.graph.node for name in node.input} | {o.name for o in result.graph.output}
    assert all(set(node.output) & needed for node in result.graph.node)
    assert all(i.name in needed for i in result.graph.initializer)


def test_older_models_are_converted_at_the_door() -> None:
    result = differentiate(model("y = ReduceSum<keepdims=0>(x)", opset=13), of="y", wrt="x")
    assert result.opset_import[0].version == 18
    np.testing.assert_array_equal(reference(result)({"x": X, "d_y": np.array(2.0)})["d_x"], np.full_like(X, 2.0))


def test_functions_are_inlined() -> None:
    text = """<ir_version: 9, opset_import: ["": 18, "own": 1]>
    g (double[2,2] x) => (double[2,2] y) { y = own.square(x) }
    <domain: "own", opset_import: ["": 18]> square (a) => (b) { b = Mul(a, a) }"""
    result = differentiate(onnx.parser.parse_model(text), of="y", wrt="x")
    np.testing.assert_array_equal(reference(result)({"x": X, "d_y": np.ones_like(X)})["d_x"], 2 * X)


def test_a_custom_operator_is_reported() -> None:
    text = '<ir_version: 9, opset_import: ["": 18, "own": 1]> g (double[2] x) => (double[2] y) { y = own.Relu(x) }'
    with pytest.raises(NotDifferentiable, match=r"own\.Relu"):
        differentiate(onnx.parser.parse_model(text), of="y", wrt="x")


def test_no_operator_is_both_differentiable_and_not() -> None:
    assert not set(RULES) & NO_GRADIENT


# Ties. PyTorch: the first of equal elements receives all of a max pool; amax and maximum share equally.


# Symbolic but for the channels, on which the form of the pool depends.
SYMBOLIC = pytest.mark.parametrize("symbolic", [False, (0, 2, 3)], ids=["fixed", "symbolic"])
NCHWC = RULES | NCHWC_RULES


def run(
    body: str,
    x: np.ndarray,
    rules: Mapping[str, Rule] = RULES,
    symbolic: bool | tuple[int, ...] = False,
    constants: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    model = graph(body, {"x": x}, constants, "float", symbolic)
    forward, backward = (
        ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        for proto in (model, differentiate(model, of="y", wrt="x", rules=rules))
    )
    feeds = {"x": x.astype(np.float32)}
    y = forward.run(["y"], feeds)[0]
    dy = np.arange(1, y.size + 1, dtype=np.float32).reshape(y.shape)
    dx: np.ndarray = backward.run(["d_x"], feeds | {"d_y": dy})[0]
    return dx


def first_wins(x: np.ndarray, size: int, stride: int) -> np.ndarray:
    """The gradient of a max pool over the last two axes, written as loops."""
    dx, k = np.zeros_like(x), 0
    for plane in np.ndindex(x.shape[:2]):
        for i in range(0, x.shape[2] - size + 1, stride):
            for j in range(0, x.shape[3] - size + 1, stride):
                k += 1
                window = x[plane][i : i + size, j : j + size]
                a, b = np.unravel_index(np.argmax(window), window.shape)
                dx[(*plane, i + a, j + b)] += k
    return dx


@FORMS
@SYMBOLIC
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1), (2, 3), (4, 3), (1, 2), (5, 2)])
@pytest.mark.parametrize("shape", [(9, 11), (10, 8)], ids=str)
def test_the_first_of_equal_elements_wins_a_max_pool(
    size: int, stride: int, shape: tuple[int, int], symbolic: bool | tuple[int, ...], rules: Mapping[str, Rule]
) -> None:
    x = np.random.default_rng(0).integers(0, 3, (2, BLOCK, *shape)).astype(float)
    body = f"y = MaxPool<kernel_shape=[{size},{size}], strides=[{stride},{stride}]>(x)"
    np.testing.assert_array_equal(run(body, x, rules, symbolic), first_wins(x, size, stride))


BEYOND = "ONNX infers a window that lies beyond the end, which ONNX Runtime does not have"
POOLS = pytest.mark.parametrize(
    "attributes", ["", "ceil_mode=1", "pads=[1,1,1,1]", "pads=[0,1,1,0], ceil_mode=1", "pads=[1,0,0,2]"]
)


@SYMBOLIC
@POOLS
@pytest.mark.parametrize(("size", "strides"), [(3, "2,2"), (3, "1,2"), (2, "3,2"), (4, "2,3")])
@pytest.mark.parametrize("shape", [(9, 11), (10, 8)], ids=str)
def test_both_forms_of_the_max_pool_agree(
    attributes: str, size: int, strides: str, shape: tuple[int, int], symbolic: bool | tuple[int, ...]
) -> None:
    x = np.random.default_rng(0).integers(-3, 3, (2, BLOCK, *shape)).astype(float)
    if "2]" in attributes and size < 3:
        pytest.skip("more padding than kernel")
    if "ceil" in attributes and size < 3 and not symbolic:
        pytest.skip(BEYOND)
    body = (
        f"y = MaxPool<{', '.join(filter(None, [f'kernel_shape=[{size},{size}], strides=[{strides}]', attributes]))}>(x)"
    )
    np.testing.assert_array_equal(run(body, x, NCHWC, symbolic), run(body, x, RULES, symbolic))


@SYMBOLIC
@POOLS
@pytest.mark.parametrize(
    "convolution", ["strides=[2,2]", "strides=[2,2], pads=[3,3,3,3]", "strides=[3,3], pads=[1,2,0,1]", "pads=[1,1,1,1]"]
)
@pytest.mark.parametrize(("size", "strides"), [(3, "2,2"), (4, "2,2"), (3, "3,3"), (3, "1,1"), (3, "1,2")])
@pytest.mark.parametrize("kernel", [3, 5])
def test_a_convolution_takes_the_phases_of_the_pool_after_it(
    kernel: int, size: int, strides: str, convolution: str, attributes: str, symbolic: bool | tuple[int, ...]
) -> None:
    """The numbers are small integers, so that all sums are exact in whatever order."""
    if "ceil" in attributes and strides == "3,3" and not symbolic:
        pytest.skip(BEYOND)
    rng = np.random.default_rng(0)
    x, w = (
        rng.integers(-3, 4, (2, 3, 23, 26)).astype(float),
        rng.integers(-2, 3, (BLOCK, 3, kernel, kernel)).astype(float),
    )
    pool = ", ".join(filter(None, [f"kernel_shape=[{size},{size}], strides=[{strides}]", attributes]))
    body = f"c = Conv<{convolution}>(x, w) y = MaxPool<{pool}>(c)"
    found, expected = (run(body, x, rules, symbolic, {"w": w}) for rules in (NCHWC, RULES))
    np.testing.assert_array_equal(found, expected)


def test_the_first_of_equal_elements_wins_a_global_max_pool() -> None:
    np.testing.assert_array_equal(run("y = GlobalMaxPool(x)", np.zeros((1, 2, 2, 2))).ravel(), [1, 0, 0, 0, 2, 0, 0, 0])


@FORMS
def test_a_relu_at_zero_passes_nothing(rules: Mapping[str, Rule]) -> None:
    x = np.array([0.0, -0.0, 1e-30, -1e-30, 3e38])
    np.testing.assert_array_equal(run("y = Relu(x)", x, rules), [0, 0, 3, 0, 5])


def test_a_maximum_shares_among_equals() -> None:
    np.testing.assert_array_equal(run("y = ReduceMax<keepdims=0>(x)", np.array([1.0, 2.0, 2.0, 0.0])), [0, 0.5, 0.5, 0])


@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-1.5, 6.0), (-1e3, 0.1), (None, 6.0), (-1.0, None)])
@pytest.mark.parametrize("made_by", ["Conv", "Identity"])
def test_the_mask_of_a_clip_is_exact_to_the_last_bit(low: float | None, high: float | None, made_by: str) -> None:
    bounds = {name: np.float32(v) for name, v in (("low", low), ("high", high)) if v is not None}
    layer = "Conv(x, w)" if made_by == "Conv" else "Identity(x)"
    names = f"{'low' if low is not None else ''}, {'high' if high is not None else ''}".rstrip(", ")
    text = f"""<ir_version: 8, opset_import: ["": 18]> g (float[1,{BLOCK},2,8] x) => (float[1,{BLOCK},2,8] y)
        {{ c = {layer} y = Clip(c{", " if names else ""}{names}) }}"""
    model = onnx.parser.parse_model(text)
    values = bounds | ({"w": np.eye(BLOCK, dtype=np.float32)[:, :, None, None]} if made_by == "Conv" else {})
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in values.items())
    # Beside a bound of 0 lie subnormal numbers, which no slope makes a 1 of.
    edges = [np.nextafter(bound, np.float32(s)) for bound in bounds.values() if bound for s in (-np.inf, np.inf)]
    x = np.resize(np.array([*bounds.values(), *edges, 0.05, 1e-30, -1e-30, 1e30, -1e30], np.float32), (1, BLOCK, 2, 8))
    graph = differentiate(model, "y", "x", NCHWC)
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["d_x"], {"x": x, "d_y": np.full_like(x, 3)})
    above = x > low if low is not None else np.ones_like(x, bool)
    below = x < high if high is not None else np.ones_like(x, bool)
    inside = above & below
    if made_by == "Identity":  # of what no layer has made, the bounds belong to it
        inside |= np.isin(x, list(bounds.values()))
    np.testing.assert_array_equal(found, np.where(inside, 3, 0))
    assert ("HardSigmoid" in {node.op_type for node in graph.graph.node}) == (made_by == "Conv")
