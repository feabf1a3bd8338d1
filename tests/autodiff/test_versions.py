"""Files of old opsets compute what they did, and are differentiated."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from service.autodiff import differentiate
from service.autodiff.versions import at_opset_floor

UPSAMPLED = [
    (opset, mode, scales)
    for opset in (7, 8, 9, 10)
    for mode in ("nearest", "linear")
    for scales in ((2.0, 2.0), (1.5, 2.5), (3.0, 1.0), *([(0.5, 0.6)] if (opset, mode) == (10, "linear") else []))
]


def upsampled(opset: int, mode: str, scales: tuple[float, float]) -> onnx.ModelProto:
    listed = f"1.0, 1.0, {scales[0]}, {scales[1]}"
    if opset < 9:
        body = f'{{ y = Upsample<mode="{mode}", scales=[{listed}]>(x) }}'
    else:
        body = f'<float[4] s = {{{listed}}}> {{ y = {"Upsample" if opset == 9 else "Resize"}<mode="{mode}">(x, s) }}'
    height, width = (int(size * scale) for size, scale in zip((4, 5), scales, strict=True))
    return onnx.parser.parse_model(
        f'<ir_version: 4, opset_import: ["": {opset}]> g (float[1,2,4,5] x) => (float[1,2,{height},{width}] y) {body}'
    )


def run(model: onnx.ModelProto, *names: str, **feeds: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    arrays: list[np.ndarray] = session.run(names, feeds)
    return arrays


def check_adjoint(model: onnx.ModelProto, **feeds: np.ndarray) -> None:
    """For a linear function f of the feeds: ⟨dy, f(x)⟩ = ⟨dx, x⟩."""
    (y,) = run(model, "y", **feeds)
    dy = np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
    gradients = run(differentiate(model, "y", list(feeds)), "y", *(f"d_{name}" for name in feeds), **feeds, d_y=dy)
    np.testing.assert_allclose(gradients[0], y, rtol=1e-5, atol=1e-6)
    inner = sum((dx * x).sum() for dx, x in zip(gradients[1:], feeds.values(), strict=True))
    np.testing.assert_allclose(inner, (dy * y).sum(), rtol=1e-4)


@pytest.mark.parametrize(("opset", "mode", "scales"), UPSAMPLED, ids=str)
def test_old_upsampling_keeps_its_coordinates(opset: int, mode: str, scales: tuple[float, float]) -> None:
    """ONNX's converter alone moves them, where the mode is linear."""
    x = np.random.default_rng(0).normal(size=(1, 2, 4, 5)).astype(np.float32)
    model = upsampled(opset, mode, scales)
    np.testing.assert_allclose(run(at_opset_floor(model), "y", x=x)[0], run(model, "y", x=x)[0], atol=1e-6)
    check_adjoint(model, x=x)


def test_scatter_is_read_as_scatter_elements() -> None:
    text = """<ir_version: 4, opset_import: ["": 9]> g (float[3,3] x, float[1,3] u) => (float[3,3] y)
        <int64[1,3] i = {2, 0, 1}> { y = Scatter<axis=0>(x, i, u) }"""
    x, u = (np.random.default_rng(0).normal(size=shape).astype(np.float32) for shape in ((3, 3), (1, 3)))
    check_adjoint(onnx.parser.parse_model(text), x=x, u=u)


def test_a_model_of_the_floor_or_newer_is_not_touched() -> None:
    text = '<ir_version: 9, opset_import: ["": 19]> g (float[3] x) => (float[3] y) { y = Relu(x) }'
    model = onnx.parser.parse_model(text)
    assert at_opset_floor(model) is model
