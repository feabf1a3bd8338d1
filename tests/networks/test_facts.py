"""What a graph says is remembered, so that a start needs neither the graph nor what reads it."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.main import open_networks
from service.models import library
from service.networks.network import Network
from service.settings import Settings

FORGOING = """
import sys
import service.cli.serving
from service.main import open_networks
from service.settings import Settings
network = open_networks(Settings(models_dir={models!r}, data_dir={data!r}, providers="cpu"))["squeezenet1_1"]
network.warm_up()
assert list(network.layers)[-1] == "relu_conv10"
heavy = "onnx", "onnx_ir", "sympy", "onnxscript", "scipy", "matplotlib", "tifffile", "pillow_heif"
print([name for name in heavy if name in sys.modules])
"""


def opened(settings: Settings) -> Network:
    return open_networks(settings)["squeezenet1_1"]


def test_what_makes_graphs_is_imported_by_another_process_only(models_dir: Path, tmp_path: Path) -> None:
    program = FORGOING.format(models=str(models_dir), data=str(tmp_path))
    for _ in range(2):  # with graphs that are made, and with such that are kept
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


def test_facts_are_those_of_the_graph_however_they_are_come_by(
    fresh: Settings, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, fresh = network.model.facts, fresh.model_copy(update={"data_dir": tmp_path / "own"})
    assert opened(fresh).facts == wanted
    with monkeypatch.context() as patch:
        patch.setattr(library.Model, "facts", property(lambda _: pytest.fail("they are kept")))
        assert opened(fresh).facts == wanted
    for kept in (fresh.data_dir / "graphs").glob("*/text"):
        kept.write_text(kept.read_text()[:50])
    assert opened(fresh).facts == wanted
