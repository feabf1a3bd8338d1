"""Sessions and the choice of the execution provider."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from service.errors import EngineError
from service.networks.network import Network
from service.networks.questions import CHOSEN, CLASS_ID, D_SCORE, SCORE
from service.pictures.decode import decode
from service.pictures.images import fit
from service.runtime import providers
from service.runtime.batcher import Batcher
from service.runtime.buffers import BoundRuns
from service.runtime.engine import Engine
from service.runtime.files import own_folder
from service.runtime.sessions import Sessions

DOUBLE = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["": 18]> g (float[N] x) => (float[N] y) { y = Add(x, x) }'
)


def test_a_session_runs() -> None:
    (y,) = Engine("cpu").load(DOUBLE).run(["y"], {"x": np.arange(3, dtype=np.float32)})
    np.testing.assert_array_equal(y, [0, 2, 4])


def test_a_session_is_opened_for_the_cores_that_it_is_needed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, opened = Engine("cpu", 2), []
    of = engine._opened
    monkeypatch.setattr(engine, "_opened", lambda graph, threads: opened.append(threads) or of(graph, threads))
    session, x = engine.load(DOUBLE), {"x": np.arange(3, dtype=np.float32)}
    assert opened == []
    for _ in range(2):
        session.run(["y"], x, all_cores=False)
    assert opened == [1]
    for _ in range(2):
        session.run(["y"], x)
    assert opened == [1, 2]


def test_the_file_of_a_graph_that_nothing_keeps_goes_with_its_session() -> None:
    before = set(own_folder().iterdir())
    session = Engine("cpu", 2).load(DOUBLE)
    assert len({*own_folder().iterdir()} - before) == 1
    del session
    assert set(own_folder().iterdir()) <= before


def test_auto_takes_what_starts() -> None:
    assert Engine("auto").provider == ("cuda" if "CUDAExecutionProvider" in ort.get_available_providers() else "cpu")


def test_auto_passes_over_a_provider_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(providers, "_starts", lambda provider: provider != "CUDAExecutionProvider")
    assert Engine("auto").provider == "cpu"


@pytest.mark.parametrize(
    ("providers", "message"), [("tpu", "unknown execution provider 'tpu'"), ("cpu,tpu", "unknown")]
)
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


def test_runs_in_bound_buffers_are_the_same_runs() -> None:
    """On memory of the CPU; on CUDA the same code has its buffers there."""
    bound = BoundRuns(ort.InferenceSession(DOUBLE.SerializeToString(), providers=["CPUExecutionProvider"]), "cpu")
    inputs = [np.arange(size, dtype=np.float32) + i for i, size in enumerate([3, 5, 3, 3, 5, 1] * 20)]
    with ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda x: bound.run(["y"], {"x": x})[0], inputs))
    for x, y in zip(inputs, outputs, strict=True):
        np.testing.assert_array_equal(y, 2 * x)


def test_bound_buffers_hold_a_gradient(network: Network, cat: bytes) -> None:
    image = fit(decode(cat, 10**7), (224, 224), 256 / 224, "squash").pixels[None]
    session = ort.InferenceSession(
        ir.to_proto(network.gradient_model((224, 224))).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feeds = {"image": image, CLASS_ID: np.array([-1]), D_SCORE: np.ones(1, np.float32)}
    outputs = ["logits", CHOSEN, SCORE, "d_image"]
    for expected, found in zip(session.run(outputs, feeds), BoundRuns(session, "cpu").run(outputs, feeds), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_gradient_in_float16_is_nearly_the_same(network: Network, cat: bytes) -> None:
    """Not quite: some Relus and pools decide otherwise.

    On a CPU only the storage is float16, on a GPU the sums may be too.
    """
    halving = Engine("cpu", 1, "float16")
    half = Network(
        network.model, Batcher(lanes=1, max_batch=1, max_queue=10, seconds=60), Sessions(halving, 2**30), halving
    )
    image = fit(decode(cat, 10**7), (224, 224), 256 / 224, "squash").pixels[None]
    exact, rough = network.value_and_grad(image), half.value_and_grad(image)
    assert rough.gradients.dtype == np.float32
    assert exact.class_ids == rough.class_ids
    np.testing.assert_allclose(rough.scores, exact.scores, rtol=2e-3)
    assert not np.array_equal(rough.gradients, exact.gradients)
    maps = [np.abs(at.gradients[0]).max(axis=0).ravel() for at in (exact, rough)]
    assert np.corrcoef(maps)[0, 1] > 0.98


def test_the_runtime_keeps_to_itself(models_dir: Path, tmp_path: Path) -> None:
    program = f"import service.main as m; m.open_networks(m.Settings(models_dir={str(models_dir)!r})).close()"
    program += "; from service.runtime import providers; providers.tiny('CPUExecutionProvider')"
    alone = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CONVLENS_DATA_DIR": str(tmp_path / "data")}
    subprocess.run([sys.executable, "-c", program], env=alone, check=True)
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == []


def test_linear_algebra_has_no_threads_of_its_own() -> None:
    """They would wait for more work on the cores that the runtime needs."""
    program = "import os, service, numpy as np; np.ones((500, 500)) @ np.ones((500, 500))"
    program += "; print(len(os.listdir('/proc/self/task')))"
    alone = {"PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", program], env=alone, check=True, capture_output=True)
    assert int(done.stdout) == 1
