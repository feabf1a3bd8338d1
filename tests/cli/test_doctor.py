"""`convlens doctor`."""

from pathlib import Path

import pytest

from service.cli.main import main


def test_all_is_well(models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--models-dir", str(models_dir), "--data-dir", str(tmp_path), "--providers", "cpu"]) == 0
    told = capsys.readouterr().out
    for part in (
        "ok   provider: runs on cpu",
        "squeezenet1_1 can be served",
        "for a gradient",
        "queue embedded",
        "written, read and deleted",
        "GiB free",
    ):
        assert part in told


def test_what_is_wrong_is_told(models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "squeezenet1_1.toml").write_bytes((models_dir / "squeezenet1_1.toml").read_bytes())
    flags = [
        "--models-dir",
        str(tmp_path / "models"),
        "--data-dir",
        str(tmp_path),
        "--queue-url",
        "redis://127.0.0.1:1/0",
    ]
    assert main(["doctor", *flags, "--api-keys-file", str(tmp_path / "none")]) == 2
    told = capsys.readouterr().out
    for part in ("FAIL models: squeezenet1_1: cannot read", "FAIL queue and store", "FAIL keys", "ok   disk"):
        assert part in told
