"""The command line."""

from pathlib import Path

import pytest

from service.cli import main


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


def test_a_wrong_setting_is_told_in_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["serve", "--port", "99999"]) == 2
    assert "setting port: Input should be less than or equal to 65535" in capsys.readouterr().err
    monkeypatch.setenv("CONVLENS_WORKERS", "many")
    assert main(["models"]) == 2
    assert "setting workers" in capsys.readouterr().err


def test_serving_without_models_names_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--models-dir", str(tmp_path)]) == 2
    assert "'convlens build' writes the default one" in capsys.readouterr().err


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, models_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CONVLENS_MODELS_DIR", str(models_dir))
    assert main(["models"]) == 0
    assert "squeezenet1_1" in capsys.readouterr().out
