"""Quantized networks as ONNX Runtime's quantizer writes them, and operators of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from service.cli.main import main
from service.errors import ModelError
from service.models.drafting import Choices
from service.models.importing import add
from service.models.reading import read_onnx
from service.networks.checking import check, smooth_image, standalone
from service.networks.network import Network
from service.saliency.explain import warning_of

Array = np.ndarray[Any, Any]
SIZE = (32, 32)
UNIT = Choices(preprocessing="unit")
TEXT = """<ir_version: 8, opset_import: ["": 13]> g (float[N,3,32,32] x) => (float[N,4] y) {
    c = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w, v) r = Relu(c) d = Conv<pads=[1,1,1,1]>(r, u) s = Add(r, d)
    l = LeakyRelu<alpha=0.1>(s) k = Concat<axis=1>(l, r) g = Sigmoid(k) q = Mul(g, k)
    p = AveragePool<kernel_shape=[2,2], strides=[2,2]>(q)
    a = GlobalAveragePool(p) f = Flatten(a) scores = Gemm(f, m, b) y = Softmax<axis=1>(scores) }"""


def plain() -> onnx.ModelProto:
    """A network with the operators that the quantizer has integer forms of."""
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(TEXT)
    weights = {"w": (8, 3, 3, 3), "v": (8,), "u": (8, 8, 3, 3), "m": (16, 4), "b": (4,)}
    model.graph.initializer.extend(
        numpy_helper.from_array((rng.normal(size=shape) * 0.4).astype(np.float32), name)
        for name, shape in weights.items()
    )
    return model


class Pictures(CalibrationDataReader):  # type: ignore[misc] # comes without types
    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        pictures = [smooth_image(SIZE)[None], *rng.random((20, 1, 3, *SIZE), np.float32)]
        self._rows = iter([{"x": picture} for picture in pictures])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._rows, None)


def quantized(path: Path, kind: str) -> Path:
    """The file of the network, quantized."""
    to = path.parent / f"{kind}.onnx"
    if kind == "dynamic":
        quantize_dynamic(path, to, weight_type=QuantType.QUInt8)
    elif kind == "dynamic by channel":
        quantize_dynamic(path, to, per_channel=True, weight_type=QuantType.QInt8)
    else:
        form = QuantFormat.QDQ if kind == "QDQ" else QuantFormat.QOperator
        activations = QuantType.QInt8 if kind == "signed operators" else QuantType.QUInt8
        quantize_static(path, to, Pictures(), form, per_channel=kind != "operators", activation_type=activations)
    return to


def added(path: Path, name: str) -> Network:
    place = add(path, path.parent / "models", Choices(name=name, preprocessing="unit"))
    check(place)
    return standalone(place)


@pytest.mark.parametrize("kind", ["operators", "signed operators", "QDQ", "dynamic", "dynamic by channel"])
def test_what_the_quantizer_writes(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "plain.onnx"
    onnx.save(plain(), path)
    file = quantized(path, kind)
    exact, network = added(path, "exact"), added(file, "eight")
    assert network.facts.quantized
    assert "quantized" in str(warning_of(network, "gradient"))
    assert {"Conv"} <= {layer.operator for layer in network.layers.values()}
    image = smooth_image(SIZE)
    runtime = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (expected,) = runtime.run(None, {"x": image[None]})
    found = network.probabilities(network.classify(image[None]))
    np.testing.assert_allclose(found, expected, atol=0.02)  # roundings can differ by a step
    for class_id in range(4):
        ours, floats = (n.value_and_grad(image[None], np.array([class_id])).gradients[0] for n in (network, exact))
        cosine = float((ours * floats).sum() / np.linalg.norm(ours) / np.linalg.norm(floats))
        assert cosine > 0.97
        assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(floats), rel=0.1)


def test_what_the_optimizer_of_the_runtime_writes(tmp_path: Path) -> None:
    path, optimized = tmp_path / "plain.onnx", tmp_path / "optimized.onnx"
    onnx.save(plain(), path)
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(optimized)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    assert "com.microsoft" in {node.domain for node in onnx.load(optimized).graph.node}
    exact, network = added(path, "exact"), added(optimized, "optimized")
    image = smooth_image(SIZE)
    ours, expected = (n.value_and_grad(image[None], np.array([2])) for n in (network, exact))
    np.testing.assert_allclose(ours.logits, expected.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.gradients, expected.gradients, rtol=1e-3, atol=1e-7)


# Operators of the runtime's own domain and what they are, on x (2, 3, 4).
CONTRIB = {
    "Gelu": ("y = com.microsoft.Gelu(x)", "y = Gelu(x)"),
    "BiasGelu": ("y = com.microsoft.BiasGelu(x, b)", "t = Add(x, b) y = Gelu(t)"),
    "FastGelu": ("y = com.microsoft.FastGelu(x, b)", 't = Add(x, b) y = Gelu<approximate="tanh">(t)'),
    "QuickGelu": (
        "y = com.microsoft.QuickGelu<alpha=1.5>(x)",
        "a = Constant<value_float=1.5>() t = Mul(x, a) s = Sigmoid(t) y = Mul(x, s)",
    ),
    "SkipLayerNormalization": (
        "y = com.microsoft.SkipLayerNormalization<epsilon=0.00001>(x, k, b, b, b)",
        "t = Add(x, k) u = Add(t, b) y = LayerNormalization<axis=-1, epsilon=0.00001>(u, b, b)",
    ),
    "FusedMatMul": (
        "y = com.microsoft.FusedMatMul<transB=1, alpha=0.5>(x, k)",
        "h = Constant<value_float=0.5>() t = Transpose<perm=[0,2,1]>(k) u = MatMul(x, t) y = Mul(u, h)",
    ),
}


@pytest.mark.parametrize("op_type", CONTRIB)
def test_operators_of_the_runtime_are_what_the_standard_calls_them(op_type: str, tmp_path: Path) -> None:
    own, standard = CONTRIB[op_type]
    rng = np.random.default_rng(0)
    weights = {"b": rng.normal(size=4).astype(np.float32), "k": rng.normal(size=(2, 3, 4)).astype(np.float32)}
    results = []
    for body in (own, standard):
        text = f"""<ir_version: 9, opset_import: ["": 20, "com.microsoft": 1]>
            g (float[2,3,4] x) => (float[2,3,M] y) {{ {body} }}"""
        model = onnx.parser.parse_model(text)
        used = {name for node in model.graph.node for name in node.input}
        model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in weights.items() if n in used)
        onnx.save(model, tmp_path / "x.onnx")
        read = read_onnx(tmp_path / "x.onnx")
        assert all(node.domain == "" for node in read.graph.node)
        x = np.random.default_rng(1).normal(size=(2, 3, 4)).astype(np.float32)
        runs = [model] if body is own else []
        for proto in [read, *runs]:
            (y,) = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"]).run(
                None, {"x": x}
            )
            results.append(y)
    for y in results[1:]:
        np.testing.assert_allclose(y, results[0], rtol=1e-4, atol=1e-5)


# Operators that the standard had as experiments, and what they are, on x (2, 3, 4, 4).
FORMER = {
    "ImageScaler": (
        "y = ImageScaler<scale=0.5, bias=[1.0, 2.0, 3.0]>(x)",
        lambda x: x * 0.5 + np.array([1, 2, 3])[:, None, None],
    ),
    "Affine": ("y = Affine<alpha=2.0, beta=0.5>(x)", lambda x: 2 * x + 0.5),
    "ParametricSoftplus": (
        "y = ParametricSoftplus<alpha=2.0, beta=0.5>(x)",
        lambda x: 2 * np.log1p(np.exp(0.5 * x)),
    ),
    "ScaledTanh": ("y = ScaledTanh<alpha=2.0, beta=0.5>(x)", lambda x: 2 * np.tanh(0.5 * x)),
}


@pytest.mark.parametrize("op_type", FORMER)
def test_former_operators_are_written_out(op_type: str, tmp_path: Path) -> None:
    body, expected = FORMER[op_type]
    text = f'<ir_version: 4, opset_import: ["": 9]> g (float[2,3,4,4] x) => (float[2,3,4,4] y) {{ {body} }}'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "x.onnx")
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 4)).astype(np.float32)
    session = ort.InferenceSession(
        read_onnx(tmp_path / "x.onnx").SerializeToString(), providers=["CPUExecutionProvider"]
    )
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected(x), rtol=1e-5, atol=1e-6)


def test_an_operator_that_is_unknown_to_the_standard_is_refused(tmp_path: Path) -> None:
    text = '<ir_version: 4, opset_import: ["": 9]> g (float[2,3,4,4] x) => (float[2,3,2,2] y) { y = Crop(x) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "x.onnx")
    with pytest.raises(ModelError, match="not of the ONNX standard: Crop"):
        read_onnx(tmp_path / "x.onnx")


def test_what_cannot_be_taken_is_refused_in_a_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = plain()
    model.graph.node[1].domain, model.graph.node[1].op_type = "com.microsoft", "Attention"
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, tmp_path / "foreign.onnx")
    models = tmp_path / "models"
    assert main(["add", str(tmp_path / "foreign.onnx"), "--models-dir", str(models)]) == 2
    assert capsys.readouterr().err == (
        "convlens: foreign.onnx uses operators that are not of the ONNX standard: com.microsoft.Attention\n"
    )
    assert not models.exists()
