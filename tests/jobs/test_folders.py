"""Folders that cannot be written to: real processes that say so in one line, or go on without."""

import subprocess
from pathlib import Path

import httpx
import pytest

from service.errors import QueueError
from service.jobs.folders import writable
from service.jobs.store import ArtifactStore
from service.runtime.files import GraphCache
from tests.conftest import Server, start


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The status and the standard error of a process that ends by itself."""
    _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_data_folder_that_cannot_be_one_is_told_in_one_line(models_dir: Path, tmp_path: Path, command: str) -> None:
    (file := tmp_path / "data").write_text("in the place of the folder")
    flags = ["--port", "0"] if command == "serve" else ["--queue-url", f"unix://{tmp_path}/none.sock"]
    status, said = ended(start(command, *flags, "--models-dir", str(models_dir), "--data-dir", str(file)))
    assert status == 2
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("convlens: ")]
    assert str(file) in line
    assert "not a directory" in line
    assert "CONVLENS_DATA_DIR" in line


def test_a_store_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (file := tmp_path / "store").write_text("in the place of the folder")
    with pytest.raises(QueueError, match=f"CONVLENS_STORE_URL file://{file}/x cannot be opened"):
        ArtifactStore.open(f"file://{file}/x", tmp_path)


def test_what_can_be_written_to_stays_empty(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert writable(folder) == folder
    assert list(folder.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(QueueError, match=r"file cannot be written to by user [0-9]+: file exists"):
        writable(tmp_path / "file")


def test_a_graph_cache_that_cannot_be_written_to_is_done_without(models_dir: Path, tmp_path: Path, cat: bytes) -> None:
    (tmp_path / "graphs").write_text("in the place of the folder")
    server = Server("--models-dir", str(models_dir), "--data-dir", str(tmp_path))
    try:
        for method in ("gradient", "grad_cam", "gradient"):
            answer = httpx.post(f"{server.url}/saliency", params={"method": method}, files={"image": cat}, timeout=60)
            assert answer.status_code == 200, answer.text
    finally:
        server.stop()


def test_a_graph_cache_that_cannot_be_written_to_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "graphs").touch()
    cache = GraphCache(tmp_path / "graphs", 2**30)
    for name in ("a", "b", "c"):
        assert cache.find(name) is None
        assert cache.keep(name, lambda folder: folder) is None
    assert [record.message for record in caplog.records] == [f"graphs cannot be kept in {tmp_path}/graphs: File exists"]
