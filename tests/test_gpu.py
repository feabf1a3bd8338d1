"""The program of `make gpu`, on the CPU: that it finds nothing wrong where nothing is, and finds what is."""

import sys

import numpy as np
import pytest

from service.networks.network import Network
from service.runtime.files import GraphCache
from tests.benchmarks import gpu
from tests.conftest import graphs_of_all


def test_the_cpu_agrees_with_itself(capsys: pytest.CaptureFixture[str]) -> None:
    graphs = GraphCache(graphs_of_all(), 2**30)
    assert gpu.measured("cpu", runs=20, batches=(1,), rounds=1, graphs=graphs) == []
    printed = capsys.readouterr().out
    for what in ("map, grad_cam", "visualization", "gradient, float16", "Gradient on the device"):
        assert what in printed
    assert "**FAIL**" not in printed


def test_what_differs_is_found(network: Network) -> None:
    image, wrong = np.full((3, 224, 224), 0.5, np.float32), np.full((3, 224, 224), 0.6, np.float32)
    right = network.value_and_grad(image[None], np.array([gpu.TABBY])).gradients
    findings = gpu.Findings()
    findings.check("same", gpu.difference(right, right), gpu.ALLOWED)
    other = network.value_and_grad(wrong[None], np.array([gpu.TABBY])).gradients
    findings.check("other", gpu.difference(other, right), gpu.ALLOWED)
    assert findings.failed == ["other"]


def test_no_gpu_is_a_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu", "--provider", "cuda"])
    monkeypatch.setattr("service.runtime.engine.ort.get_available_providers", lambda: ["CPUExecutionProvider"])
    assert gpu.main() == 1
    assert "does not start here" in capsys.readouterr().out
