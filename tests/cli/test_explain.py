"""`convlens explain` as people run it: a process on a folder, stopped, killed and started again."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.cli.main import main
from service.settings import Settings
from tests.conftest import PHOTOGRAPHS, serving, share_graphs
from tests.waiting import eventually

SIZE = (96, 72)
SLOW = ("--method", "smoothgrad", "--set", "samples=5", "--format", "npy", "--workers", "1", "--no-report")
ODD = "line\nbreak é <b>.jpg"


def photograph(number: int) -> bytes:
    """A small photograph, each number another one."""
    written = io.BytesIO()
    with Image.open(PHOTOGRAPHS / "chelsea.png") as image:
        image.resize(SIZE, box=(number, number, 400, 280)).save(written, "JPEG")
    return written.getvalue()


JPEG = photograph(0)
FINE = {"a.jpg", "a.png", "sub/a.jpg", f"sub/{ODD}", "without_suffix", "latin\\xe9.jpg"}
BROKEN = {
    "cut.jpg": 400, "empty.jpg": 400, "large.png": 400, "text.gif": 400, "loop.jpg": 422, "pipe.jpg": 422,
    "huge.tif": 413,
}  # fmt: skip


def fill(folder: Path) -> None:
    """Put there what such folders hold."""
    (folder / "sub").mkdir(parents=True)
    for name in ("a.jpg", "a.png", "sub/a.jpg", f"sub/{ODD}", "without_suffix", ".hidden.jpg"):
        (folder / name).write_bytes(JPEG)
    (folder / os.fsdecode(b"latin\xe9.jpg")).write_bytes(JPEG)
    (folder / "cut.jpg").write_bytes(JPEG[:700])
    (folder / "empty.jpg").touch()
    (folder / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(8) + b"x" * 10)
    (folder / "text.gif").write_text("no picture")
    (folder / "labels.csv").write_text("a.jpg,cat")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "sub" / "up").symlink_to("..")
    os.mkfifo(folder / "pipe.jpg")
    with (folder / "huge.tif").open("wb") as file:
        file.truncate(2**40)


class Command:
    """The command on the folder with the photographs of a test."""

    def __init__(self, folder: Path, models_dir: Path) -> None:
        self.out = folder / "out"
        (folder / "data").mkdir()
        share_graphs(folder / "data")
        self._folder = folder
        self._started: list[subprocess.Popen[str]] = []
        self._places = ("--out", "out", "--models-dir", str(models_dir), "--data-dir", "data", "--providers", "cpu")

    def start(self, *flags: str) -> subprocess.Popen[str]:
        given = {name: value for name, value in os.environ.items() if not name.startswith("CONVLENS_")}
        source = str(Path(__file__).parents[2])
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "explain", "photos", *self._places, *flags],
            cwd=self._folder, env={**given, "PYTHONPATH": source}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._started.append(process)
        return process

    def stop(self) -> None:
        """End what a test that fails has left."""
        for process in self._started:
            process.kill()
            process.communicate()

    def run(self, *flags: str) -> tuple[int, str, str]:
        """The exit status, and what was printed and told."""
        process = self.start(*flags)
        printed, told = process.communicate(timeout=120)
        return process.returncode, printed, told

    def records(self) -> list[dict[str, Any]]:
        index = self.out / "index.jsonl"
        lines = index.read_text().split("\n") if index.exists() else [""]
        return [json.loads(line) for line in lines[:-1]]

    def times(self) -> Mapping[str, int]:
        """When each map was written."""
        return {r["item"]: (self.out / r["map"]).stat().st_mtime_ns for r in self.records() if "map" in r}


@pytest.fixture
def command(tmp_path: Path, models_dir: Path) -> Iterator[Command]:
    command = Command(tmp_path, models_dir)
    yield command
    command.stop()


METHODS = ("--method", "gradient", "--method", "grad_cam")
Explained = tuple[Command, int, str, str]


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Explained:
    """A folder that was explained on this machine: the exit status, and what was printed and told."""
    folder = tmp_path_factory.mktemp("explained")
    fill(folder / "photos")
    command = Command(folder, models_dir)
    return command, *command.run(*METHODS)


@pytest.fixture(scope="module")
def limited(settings: Settings) -> Iterator[httpx.Client]:
    """A server that lets an address ask twelve times in two seconds."""
    with serving(settings.model_copy(update={"rate_limit": "12/2seconds"})) as client:
        yield client


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_all_are_explained_but_for_what_is_broken(explained: Explained) -> None:
    command, status, printed, told = explained
    assert status == 1, told
    assert "6 explained, 7 failed, 2 left out" in printed
    assert told.count("empty.jpg: the file is empty") == 1
    records = command.records()
    found = [(r["item"], r["method"]) for r in records]
    assert len(found) == len(set(found))
    assert set(found) == {(item, method) for item in FINE | set(BROKEN) for method in ("gradient", "grad_cam")}
    assert {r["item"]: r["error"]["status"] for r in records if "error" in r} == BROKEN


def test_nothing_else_is_written(explained: Explained, tmp_path: Path) -> None:
    command = explained[0]
    fill(tmp_path / "photos")
    here = command.out.parent
    assert {p.relative_to(here) for p in everything(here / "photos")} == {
        p.relative_to(tmp_path) for p in everything(tmp_path)
    } - {Path("photos")}
    assert {path.name for path in here.iterdir()} == {"photos", "out", "data"}
    assert {path.name for path in command.out.iterdir()} == {
        "convlens.json", "index.jsonl", "maps", "overlays", "report.html", "sheet.png",
    }  # fmt: skip


def test_the_report_shows_errors_first_and_is_safe(explained: Explained) -> None:
    out = explained[0].out
    page = (out / "report.html").read_text()
    assert page.index("empty.jpg") < page.index("without_suffix")
    assert "<b>" not in page
    assert "line\\nbreak é &lt;b&gt;.jpg" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert page.count("<img") == 6 * 3
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.width > sheet.height / 4
        assert len(sheet.convert("L").getcolors() or []) > 100


def test_a_server_gives_the_same_and_is_waited_for(
    explained: Explained, command: Command, tmp_path: Path, limited: httpx.Client
) -> None:
    (tmp_path / "photos").symlink_to(explained[0].out.parent / "photos")
    status, printed, told = command.run(*METHODS, "--server", str(limited.base_url), "--workers", "6", "--no-report")
    assert (status, printed) == (1, explained[2].split("report: ")[0]), told
    assert 'route="/saliency",status="429"' in limited.get("/metrics").text
    there, here = ({(r["item"], r["method"]): r for r in c.records()} for c in (command, explained[0]))
    assert there.keys() == here.keys()
    for key, one in there.items():
        assert {k: v for k, v in one.items() if k != "seconds"} == {
            k: v for k, v in here[key].items() if k != "seconds"
        }
        if "map" in one:
            np.testing.assert_array_equal(*(np.load(c.out / one["map"]) for c in (command, explained[0])))
            assert (command.out / one["overlay"]).read_bytes() == (explained[0].out / one["overlay"]).read_bytes()


def test_what_was_repaired_is_explained_and_nothing_else(
    explained: Explained, command: Command, tmp_path: Path
) -> None:
    for name in ("photos", "out"):
        subprocess.run(["cp", "-a", explained[0].out.parent / name, tmp_path], check=True)
    records, results = command.records(), command.times()
    (tmp_path / "photos" / "empty.jpg").write_bytes(photograph(5))
    for gone in ("cut.jpg", "pipe.jpg"):
        (tmp_path / "photos" / gone).unlink()
    status, printed, told = command.run(*METHODS, "--workers", "1")
    assert (status, "7 explained, 4 failed" in printed) == (1, True), told
    assert {item: at for item, at in command.times().items() if item != "empty.jpg"} == results
    assert len(command.records()) == len(records)
    assert "cut.jpg" not in (command.out / "report.html").read_text()

    another = ("--class", "tench", "--workers", "1", "--no-report", "--limit", "1")
    assert command.run(*another, "--force")[0] == 0
    assert [(r["item"], r["class_id"]) for r in command.records()] == [("a.jpg", 0)]


def test_stopped_and_killed_it_goes_on(command: Command, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    names = [f"{i:02}.jpg" for i in range(18)]
    for i, name in enumerate(names):
        (tmp_path / "photos" / name).write_bytes(photograph(i))

    process = command.start(*SLOW)
    eventually(command.records, lambda records: len(records) > 2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does with a Ctrl-C
    _, told = process.communicate(timeout=60)
    assert (process.returncode, "goes on from here" in told) == (130, True)
    assert "Traceback" not in told
    stopped = command.times()
    assert 2 < len(stopped) < len(names) - 4

    process = command.start(*SLOW)
    eventually(command.records, lambda records: len(records) > len(stopped) + 2)
    (worker,) = workers_of(process)
    os.kill(worker, signal.SIGKILL)  # as the kernel does when memory runs out
    eventually(command.records, lambda records: len(records) > len(stopped) + 6)
    (other,) = workers_of(process)
    process.kill()
    process.communicate()
    assert other != worker
    eventually(lambda: not Path(f"/proc/{other}").exists())
    killed = command.times()
    assert killed.items() >= stopped.items()
    assert len(killed) < len(names)
    with (command.out / "index.jsonl").open("a") as index:
        index.write('{"item": "17.jpg", "method"')  # as if it had been killed while it wrote

    status, printed, told = command.run(*SLOW)
    assert (status, "18 explained, 0 failed" in printed) == (0, True), told
    assert sorted(r["item"] for r in command.records()) == names
    assert command.times().items() >= killed.items()
    assert not (command.out / ".work").exists()


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that explain."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--out", "photos"], "name another folder for the results"),
        (["--server", "http://127.0.0.1:9", "--side", "3"], "the server decides how large overlays are"),
        (["--server", "http://127.0.0.1:9"], "http://127.0.0.1:9: "),
        (["--server", "nonsense"], "nonsense"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    flags: list[str],
    told: str,
    tmp_path: Path,
    models_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(JPEG)
    before = everything(tmp_path)
    assert main(["explain", "photos", "--out", "out", "--models-dir", str(models_dir), *flags]) == 2
    assert told in (error := capsys.readouterr().err)
    assert error.startswith("convlens: ")
    assert error.count("\n") == 1
    assert everything(tmp_path) == before
