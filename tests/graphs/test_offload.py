"""Weights in a file of their own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from service.graphs import offload as module
from service.graphs.offload import array_of, offload, restored, skeleton
from service.graphs.randomization import randomized, weighted_nodes
from service.models.drafting import Choices
from service.models.importing import add
from service.networks.checking import smooth_image, standalone
from tests.models.networks import classifier, write


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE_MODEL_BYTES", 0)
    monkeypatch.setattr(module, "LARGE_TENSOR_BYTES", 100)


def test_small_models_keep_their_weights() -> None:
    model = classifier()
    before = model.SerializeToString()
    offload(model)
    assert model.SerializeToString() == before


@pytest.mark.usefixtures("everything_is_large")
def test_weights_leave_and_come_back() -> None:
    model, original = classifier(), classifier()
    offload(model)
    assert {t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL} == {"w", "m"}
    for tensor, expected in zip(model.graph.initializer, original.graph.initializer, strict=True):
        np.testing.assert_array_equal(array_of(tensor), onnx.numpy_helper.to_array(expected))
    assert restored(model).SerializeToString() == original.SerializeToString()
    onnx.checker.check_model(skeleton(model), full_check=True)


@pytest.mark.usefixtures("everything_is_large")
@pytest.mark.parametrize("form", [{}, {"opset": 7}, {"layout": "NHWC", "softmax": True}, {"activation": "HardSigmoid"}])
def test_a_network_is_the_same_with_and_without(
    form: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, image = write(classifier(**form), tmp_path), smooth_image((32, 32))[None]  # type: ignore[arg-type]
    away = standalone(add(path, tmp_path / "away", Choices(size=(32, 32))))
    ours = away.value_and_grad(image)
    shuffled = away.with_weights(randomized(away.model.proto, weighted_nodes(away.model.proto)[-1:])).classify(image)
    monkeypatch.undo()
    within = standalone(add(path, tmp_path / "within", Choices(size=(32, 32))))
    expected = within.value_and_grad(image)
    np.testing.assert_array_equal(ours.logits, expected.logits)
    np.testing.assert_array_equal(ours.gradients, expected.gradients)
    other = within.with_weights(randomized(within.model.proto, weighted_nodes(within.model.proto)[-1:]))
    np.testing.assert_array_equal(shuffled, other.classify(image))


def test_folders_of_processes_that_were_killed_are_removed(tmp_path: Path) -> None:
    code = "from service.runtime.files import own_folder; print(own_folder(), flush=True); import time; time.sleep(600)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        assert left.is_dir()
        process.kill()
    assert left.is_dir()
    ending = code.partition("; import time")[0]
    done = subprocess.run(
        [sys.executable, "-c", ending],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip().startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []  # neither the one that was left nor its own
