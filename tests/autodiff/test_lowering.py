"""What is written out, and what cannot be."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from service.autodiff import RULES, Rule, differentiate, missing_rules
from service.autodiff.coverage import LIMITS
from service.autodiff.errors import NotDifferentiable

BODY = """<body = b (int64 i, bool c, float[3] s) => (bool d, float[3] u) { d = Identity(c) u = Mul(s, x) }>"""
CONDITION = """<then_branch = t () => (float[3] a) { a = Sin(x) }, else_branch = e () => (float[3] b) { b = Exp(x) }>"""


def parsed(
    body: str, inputs: str = "float[3] x", constants: str = "", output: str = "float[3]", opset: int = 18
) -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["": {opset}]> g ({inputs}) => ({output} y) <{constants}> {{ {body} }}'
    )
    for node in model.graph.node:
        node.name = f"the_{node.op_type}"
    return model


def gradient(model: onnx.ModelProto, x: np.ndarray, **feeds: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(
        differentiate(model, of="y", wrt="x").SerializeToString(), providers=["CPUExecutionProvider"]
    )
    dx: np.ndarray = session.run(
        ["d_x"], {"x": x, "d_y": np.ones(session.get_inputs()[-1].shape, np.float32), **feeds}
    )[0]
    return dx


@pytest.mark.parametrize(
    ("body", "inputs", "constants"),
    [
        (f"y = If(k) {CONDITION}", "float[3] x, bool k", ""),
        (f"y = Loop(n, , x) {BODY}", "float[3] x, int64 n", ""),
        (f"y = Loop(n, k, x) {BODY}", "float[3] x, bool k", "int64 n = {3}"),
        (f"y = Loop(n, , x) {BODY}", "float[3] x", "int64 n = {1000000}"),
    ],
    ids=["If", "Loop-steps", "Loop-condition", "Loop-too-long"],
)
def test_what_only_a_run_can_tell_is_refused_with_the_reason(body: str, inputs: str, constants: str) -> None:
    """Also where only the graphs inside read the value."""
    model = parsed(body, inputs, constants)
    op_type = model.graph.node[0].op_type
    assert missing_rules(model, of="y", wrt="x") == [f"{op_type} (the_{op_type})"]
    with pytest.raises(NotDifferentiable, match=f"the_{op_type}.*{LIMITS[op_type]}"):
        differentiate(model, of="y", wrt="x")


def test_a_sequence_of_open_length_is_refused_only_where_a_gradient_passes_it() -> None:
    body = "a, h = RNN<hidden_size=2>(x, w, r) y = ReduceSum<keepdims=0>(h)"
    constants = "float[1,2,3] w = {1,2,3,4,5,6}, float[1,2,2] r = {1,2,3,4}"
    model = parsed(body, "float[T,1,3] x", constants, "float")
    assert missing_rules(model, of="y", wrt="x") == ["RNN (the_RNN)"]
    beside = parsed(
        f"{body.replace('y =', 's =')} e = Exp(z) y = Mul(e, s)", "float[T,1,3] x, float z", constants, "float"
    )
    assert missing_rules(beside, of="y", wrt="z") == []


def test_a_condition_on_known_sizes_is_decided() -> None:
    """As exporters write it for a squeeze."""
    body = f"s = Shape(x) g = Gather(s, zero) k = Equal(g, three) y = If(k) {CONDITION}"
    x = np.array([0.1, 0.2, 0.3], np.float32)
    dx = gradient(parsed(body, constants="int64 zero = {0}, int64 three = {3}"), x)
    np.testing.assert_allclose(dx, np.cos(x), rtol=1e-6)


def test_a_condition_on_many_numbers_is_not_computed() -> None:
    doubled = " ".join(f"c{i + 1} = Concat<axis=0>(c{i}, c{i})" for i in range(16))
    body = f"c0 = Shape(x) {doubled} m = ReduceMax<keepdims=0>(c16) k = Equal(m, m) y = If(k) {CONDITION}"
    assert missing_rules(parsed(body), of="y", wrt="x") == ["If (the_If)"]


def test_loops_may_be_nested() -> None:
    step = "{ h = Identity(g) o = Mul(q, x) }"
    inner = f"Loop(n, , s) <body = p (int64 j, bool g, float[3] q) => (bool h, float[3] o) {step}>"
    outer = f"{{ d = Identity(c) u = {inner} }}"
    body = f"y = Loop(n, , x) <body = b (int64 i, bool c, float[3] s) => (bool d, float[3] u) {outer}>"
    x = np.array([0.5, 1.0, 2.0], np.float32)
    np.testing.assert_allclose(gradient(parsed(body, constants="int64 n = {2}"), x), 5 * x**4, rtol=1e-6)  # y = x^5


def test_an_own_rule_comes_before_the_function_of_the_standard() -> None:
    model = parsed("y = Swish(x)", opset=24)
    ours = differentiate(model, "y", "x", RULES | {"Swish": Rule(lambda op, node, dy: [op.Neg(dy)])})
    assert [node.op_type for node in ours.graph.node] == ["Swish", "Neg", "Identity"]
    assert "Swish" not in {node.op_type for node in differentiate(model, "y", "x").graph.node}


def test_a_quantization_that_chooses_its_scale_is_passed_straight_through() -> None:
    body = "q, s, z = DynamicQuantizeLinear(x) y = DequantizeLinear(q, s, z)"
    x = np.array([-1.0, 0.25, 3.0], np.float32)
    np.testing.assert_array_equal(gradient(parsed(body), x), np.ones(3))


def test_a_function_whose_input_types_are_unknown_stays() -> None:
    text = """<ir_version: 9, opset_import: ["": 24, "own": 1]> g (float[3] x) => (float[3] y)
        { a = own.Strange(x) y = Swish(a) }"""
    assert missing_rules(onnx.parser.parse_model(text), of="y", wrt="x") == ["Strange ()", "Swish ()"]
