"""The command line."""

from pathlib import Path

import pytest

from service.cli.drawing import chosen_class
from service.cli.main import main
from service.errors import InvalidParameter
from tests.conftest import Server


def test_build_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--models-dir", str(tmp_path)]) == 0
    assert "wrote" in capsys.readouterr().out
    assert main(["build", "--models-dir", str(tmp_path)]) == 0
    assert "up to date" in capsys.readouterr().out


def test_build_refuses_foreign_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "weights.pkl"
    weights.write_bytes(b"foreign")
    assert main(["build", "--models-dir", str(tmp_path / "models"), "--weights", str(weights)]) == 2
    assert "has 7 bytes, not 4945361" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_models(models_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--models-dir", str(models_dir)]) == 0
    assert capsys.readouterr().out == "squeezenet1_1\tSqueezeNet 1.1, ImageNet\t1000 classes\n"


def test_a_wrong_setting_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["serve", "--port", "99999"]) == 2
    assert "setting port: Input should be less than or equal to 65535" in capsys.readouterr().err
    monkeypatch.setenv("CONVLENS_WORKERS", "many")
    assert main(["models"]) == 2
    assert "setting workers" in capsys.readouterr().err


def test_serving_without_models_names_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--models-dir", str(tmp_path)]) == 2
    assert "'convlens build' writes the default one" in capsys.readouterr().err


def test_settings_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONVLENS_MODELS_DIR", str(models_dir))
    assert main(["models"]) == 0
    assert "squeezenet1_1" in capsys.readouterr().out


def test_visualize_here_and_on_a_server_gives_the_same_picture(
    server: Server,
    models_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONVLENS_PROVIDERS", "cpu")
    monkeypatch.setenv("CONVLENS_THREADS", "1")
    here, there = tmp_path / "here.png", tmp_path / "there.png"
    common = ["visualize", "--class", "tarantula", "--iterations", "9", "--size", "64", "--seed", "4"]
    assert main([*common, "--models-dir", str(models_dir), "-o", str(here)]) == 0
    assert main([*common, "--server", server.url, "-o", str(there)]) == 0
    assert here.read_bytes() == there.read_bytes()
    assert "tarantula, seed 4; the network sees" in capsys.readouterr().out


def test_a_worker_needs_a_queue(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVLENS_QUEUE_URL", raising=False)
    assert main(["worker"]) == 2
    assert "CONVLENS_QUEUE_URL" in capsys.readouterr().err


CLASSES = [(0, "tench, Tinca tinca"), (1, "tabby, tabby cat"), (2, "tiger cat"), (3, "cat, Felis")]


@pytest.mark.parametrize(("query", "class_id"), [("7", 7), ("TENCH", 0), ("tiger", 2), ("cat", 3), ("tabby", 1)])
def test_a_class_is_found_by_id_or_name(query: str, class_id: int) -> None:
    assert chosen_class(query, CLASSES) == class_id


@pytest.mark.parametrize(
    ("query", "message"),
    [("dog", "no class has 'dog'"), ("t", "4 classes have 't' in their names, say which by its id: 0 tench")],
)
def test_an_unclear_class_names_the_candidates(query: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        chosen_class(query, CLASSES)
