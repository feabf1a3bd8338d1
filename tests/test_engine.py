"""Sessions and the choice of the execution provider."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from service import engine
from service.engine import Engine
from service.errors import EngineError

DOUBLE = onnx.parser.parse_model('<ir_version: 8, opset_import: ["": 18]> g (float[N] x) => (float[N] y) { y = Add(x, x) }')


def test_a_session_runs() -> None:
    (y,) = Engine("cpu").load(DOUBLE).run(["y"], {"x": np.arange(3, dtype=np.float32)})
    np.testing.assert_array_equal(y, [0, 2, 4])


def test_auto_takes_what_starts() -> None:
    assert Engine("auto").provider == ("cuda" if "CUDAExecutionProvider" in ort.get_available_providers() else "cpu")


def test_auto_passes_over_a_provider_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(engine, "_starts", lambda provider: provider != "CUDAExecutionProvider")
    assert Engine("auto").provider == "cpu"


@pytest.mark.parametrize(("providers", "message"), [("tpu", "unknown execution provider 'tpu'"), ("cpu,tpu", "unknown")])
def test_an_unknown_provider_is_named(providers: str, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        Engine(providers)


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="CUDA is here")
def test_a_provider_that_was_asked_for_must_start() -> None:
    with pytest.raises(EngineError, match="'cuda' does not start here"):
        Engine("cuda")


def test_a_model_that_the_runtime_refuses_is_an_error() -> None:
    wrong = onnx.ModelProto()
    wrong.CopyFrom(DOUBLE)
    wrong.graph.node[0].op_type = "Nonsense"
    with pytest.raises(EngineError, match="refuses the model"):
        Engine("cpu").load(wrong)
