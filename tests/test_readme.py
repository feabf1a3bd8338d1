"""Every command of the README works, line by line, in the order in which it stands there."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import service.client
from tests.conftest import PHOTOGRAPHS, Server
from tests.models.networks import CLASSES, classifier, write
from tests.waiting import eventually

README = (Path(__file__).parents[1] / "README.md").read_text()
CLIENT = Path(service.client.__file__).parent
MODULE = Path(service.__file__).parent / "static/client/convlens.js"
COMMANDS = re.findall(r"^    ((?:curl|convlens|base64) .+)$", README, re.MULTILINE)
ELSEWHERE = ("convlens serve", "convlens worker")  # these do not end; other tests start them


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Path:
    """A folder with what the README's commands need."""
    folder = tmp_path_factory.mktemp("readme")
    for name, file in (("cat.png", "chelsea.png"), ("coffee.png", "coffee.png")):
        shutil.copy(PHOTOGRAPHS / file, folder / name)
    (folder / "photos").mkdir()
    for name in ("cat.png", "coffee.png"):
        shutil.copy(folder / name, folder / "photos")
    with Image.open(PHOTOGRAPHS / "hubble_deep_field.jpg") as image:
        image.resize((300, 260)).save(folder / "stars.jpg")
    write(classifier(size=32), folder, "model.onnx")
    (folder / "labels.txt").write_text("\n".join(f"thing {i}" for i in range(CLASSES)))
    shutil.copytree(models_dir, folder / "models")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    server = Server("--models-dir", str(folder / "models"), "--data-dir", str(folder / "data"))
    yield server
    server.stop()


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 20


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_work_one_after_the_other(folder: Path, server: Server) -> None:
    job = ""
    for command in COMMANDS:
        if command.startswith(ELSEWHERE):
            continue
        output = run(command, job, folder, server)
        if "/visualize" in command and "/ID" not in command:
            job = json.loads(output)["id"]
        if (written := re.search(r" -o (\S+\.png)", command)) is not None:
            with Image.open(folder / written[1]) as image:
                assert image.size[0] >= 64, command


def block(beginning: str) -> str:
    """The lines of code that begin so, with jobs that are done soon."""
    (found,) = [
        part for part in re.findall(r"(?:^(?:    .*)?\n)+", README, re.MULTILINE) if part.strip().startswith(beginning)
    ]
    return textwrap.dedent(found).replace('preset="lucid"', "iterations=4").replace('preset: "lucid"', "iterations: 4")


def test_the_lines_of_python_work(folder: Path, server: Server) -> None:
    (folder / "convlens").symlink_to(CLIENT)
    code = block("from convlens import Client").replace("http://localhost:8000", server.url)
    subprocess.run(
        [sys.executable, "-c", code + "assert values.shape == (224, 224)"], cwd=folder, check=True, timeout=60
    )
    for name in ("grad_cam.png", "tarantula.png"):
        with Image.open(folder / name) as image:
            assert image.size[0] >= 64


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_the_lines_of_typescript_work(folder: Path, server: Server) -> None:
    code = block('import { Client } from "http').replace("http://localhost:8000/static/client/convlens.js", str(MODULE))
    code = code.replace("new Client()", f'new Client({{ server: "{server.url}" }})')
    code = f'import {{ readFile }} from "node:fs/promises";\nconst photograph = await readFile("cat.png");\n{code}'
    (folder / "readme.mjs").write_text(f"{code}\nconsole.log(overlay.type, values.length === width * height);\n")
    done = subprocess.run(["node", "readme.mjs"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "image/png true"
    assert "end " in done.stdout


def run(command: str, job: str, folder: Path, server: Server) -> bytes:
    """Run a line as a person would, but for the address, the id of the last job, and the size of pictures unseen."""
    line = (
        command.partition("  #")[0].replace("http://localhost:8000", server.url).replace("localhost:8000", server.url)
    )
    if "/ID" in line:
        server.client.get(f"/visualize/{job}", params={"wait": 60})
        line = line.replace("/ID", f"/{job}")
    if "model=model" in line:  # it is being tried out
        eventually(lambda: {m["name"]: m["served"] for m in server.client.get("/models").json()}["model"])
    if line.startswith("curl"):
        line = line.replace("curl ", "curl --silent --show-error --fail-with-body ", 1)
    if line.startswith("convlens visualize"):
        line += " --iterations 10 --size 64"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": path,
        "CONVLENS_MODELS_DIR": str(folder / "models"),
        "CONVLENS_PROVIDERS": "cpu",
    }
    done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, (line, done.stdout[-500:], done.stderr[-500:])
    return done.stdout
