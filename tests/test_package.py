"""What `pip install convlens` brings: the client and the command line against a server, without the service's needs."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service.api import job_schemas
from service.cli.main import main
from service.client import answers
from tests.conftest import PHOTOGRAPHS, Server

CAT = str(PHOTOGRAPHS / "chelsea.png")
ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as an installation makes it: the packages of the wheel, and what they need by their own account."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "setup.py", "-q", "egg_info", "-e", str(folder), "build_py", "--build-lib", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    for name in needs(PROJECT["dependencies"]):
        place_beside(name, folder)
    return folder


def needs(requirements: list[str]) -> set[str]:
    """The names of all distributions that these bring, without extras."""
    found: set[str] = set()
    for text in requirements:
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            found |= {canonicalize_name(one.name)} | needs(distribution(one.name).requires or [])
    return found


def place_beside(name: str, folder: Path) -> None:
    """Link the modules of a distribution."""
    files = distribution(name).files or []
    for top in {file.parts[0] for file in files if ".." not in file.parts and file.parts[0] != "__pycache__"}:
        (folder / top).symlink_to(Path(str(distribution(name).locate_file(top))))


def run(installed: Path, code: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with what is installed and the standard library, nothing else."""
    code = f"import sys; sys.path.insert(0, {str(installed)!r})\n{code}"
    given = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=cwd, env=given, capture_output=True, text=True, timeout=120
    )


def command(installed: Path, cwd: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(installed, f"from service.cli.main import main; sys.exit(main({arguments!r}))", cwd, **environment)


def test_all_files_of_the_clients_are_there(installed: Path) -> None:
    client, page = ROOT / "service/client", ROOT / "service/static/client"
    for source, place in ((client, "convlens"), (client, "service/client"), (page, "service/static/client")):
        assert {file.name for file in (installed / place).iterdir()} >= {file.name for file in source.glob("*.*")}


def test_the_client_comes_alone(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "import convlens; print(*{name.partition('.')[0] for name in sys.modules})", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "convlens" in done.stdout.split()
    assert not {"service", "numpy", "PIL", "fastapi"} & set(done.stdout.split())


def test_commands_ask_a_server(installed: Path, tmp_path: Path, server: Server) -> None:
    drawn = command(
        installed, tmp_path, *("visualize", "--class", "tarantula", "--iterations", "3", "--server", server.url)
    )
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "tarantula.png").read_bytes().startswith(b"\x89PNG")
    explained = command(installed, tmp_path, "explain", CAT, "--server", server.url, "--out", "maps")
    assert explained.returncode == 0, explained.stderr
    assert "no report, since jinja2 is not installed" in explained.stdout
    assert '"class_name": "Egyptian cat"' in (tmp_path / "maps/index.jsonl").read_text()
    code = f"""from convlens import Client
with Client({server.url!r}) as client:
    print(client.predict([open({CAT!r}, 'rb').read()])["data"][0]["predictions"][0]["name"])"""
    assert run(installed, code, tmp_path).stdout == "Egyptian cat\n"


def test_arrays_and_pictures_say_what_to_install(installed: Path, tmp_path: Path) -> None:
    code = """from convlens import Map, Picture
print(Map(b"")._repr_png_())
for ask in (Map(b"").array, Picture(b"").pillow, Picture(b"").array):
    try:
        ask()
    except ModuleNotFoundError as error:
        print(error)"""
    said = ["None", *(f"this needs {name}: pip install {name}" for name in ("numpy", "pillow", "numpy"))]
    assert run(installed, code, tmp_path).stdout.splitlines() == said


def test_other_commands_say_what_to_install(installed: Path, tmp_path: Path) -> None:
    names = ["serve", "worker", "doctor", "build", "models", "visualize --class 3", f"explain {CAT} --out x", "key me"]
    each = f"from service.cli.main import main\nfor name in {names!r}: print(main(name.split()), file=sys.stderr)"
    done = run(installed, each, tmp_path)
    assert done.stderr.count("pip install 'convlens[cpu]'") == len(names), done.stderr
    assert [line for line in done.stderr.splitlines() if line.isdigit()] == ["2"] * len(names)
    assert done.stderr.count("--server") == 2


def test_help_needs_nothing_more(installed: Path, tmp_path: Path) -> None:
    done = command(installed, tmp_path, "serve", "--help")
    assert done.returncode == 0, done.stderr
    assert "CONVLENS_PORT" in done.stdout


@pytest.mark.parametrize("server", ["http://127.0.0.1:9", "nowhere", "http://[", ""])
def test_a_server_that_is_away_is_told_in_one_line(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["visualize", "--class", "3", "--server", server]) == 2
    said = capsys.readouterr().err
    assert "cannot be asked" in said
    assert said.count("\n") == 1


PAIRS = [
    (answers.Job, job_schemas.JobAnswer),
    (answers.Links, job_schemas.Links),
    (answers.JobList, job_schemas.JobList),
    (answers.Batch, job_schemas.BatchAnswer),
]


@pytest.mark.parametrize(("read", "sent"), PAIRS)
def test_the_client_knows_all_that_the_service_says(read: Any, sent: Any) -> None:
    assert set(read.model_fields) == set(sent.model_fields)


def test_every_extra_that_serves_brings_all_of_the_service() -> None:
    extras = PROJECT["optional-dependencies"]
    assert [name for name in extras if "convlens[service]" in extras[name]] == ["cpu", "gpu"]
