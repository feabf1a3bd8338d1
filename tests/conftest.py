"""The real parts: SqueezeNet as built, photographs that a package ships, the application, the server process."""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Thread
from typing import IO

import httpx
import pytest
import skimage
import uvicorn

from service.api.connections import BoundedHttp
from service.jobs import counters
from service.main import create_app
from service.models.build import build
from service.networks.catalog import Networks
from service.networks.network import Network
from service.runtime.batcher import Batcher
from service.runtime.engine import Engine
from service.runtime.files import GraphCache
from service.settings import Settings
from tests.waiting import eventually

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
LONGEST = (  # files and folders of tests, by the time that a file takes
    "jobs/test_crashes.py",
    "models/test_light.py",
    "autodiff/test_rules.py",
    "test_gpu.py",
    "test_readme.py",
    "page/",
    "api/test_saliency.py",
    "test_server.py",
    "api/",
    "cli/",
    "saliency/",
    "autodiff/",
    "models/",
)
GRAPHS = "TESTS_GRAPHS"  # names the folder of graphs to the workers


def pytest_configure() -> None:
    """Before there are workers, which inherit it."""
    os.environ[GRAPHS] = str(graphs_of_all())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first, so that no worker has one left when the others are done."""
    tests = Path(__file__).parent
    items.sort(key=lambda item: _rank(item.path.relative_to(tests).as_posix()))  # keeps the order within a file


def _rank(file: str) -> int:
    return next((i for i, start in enumerate(LONGEST) if file.startswith(start)), len(LONGEST))


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    build(folder)
    return folder


@pytest.fixture(scope="session")
def network(models_dir: Path) -> Network:
    return Networks(
        models_dir,
        Engine("cpu", threads=1, cache=GraphCache(graphs_of_all(), 2**30)),
        Batcher(lanes=2, max_batch=1, max_queue=100, seconds=60),
        2**32,
        "squeezenet1_1",
    )["squeezenet1_1"]


@pytest.fixture(scope="session")
def cat() -> bytes:
    return (PHOTOGRAPHS / "chelsea.png").read_bytes()


@pytest.fixture(scope="session")
def coffee() -> bytes:
    return (PHOTOGRAPHS / "coffee.png").read_bytes()


@pytest.fixture(scope="module")
def settings(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of an application without jobs of its own to run; each test module has its data folder."""
    data_dir = share_graphs(tmp_path_factory.mktemp("data"))
    return Settings(models_dir=models_dir, data_dir=data_dir, providers="cpu", threads=1, worker=False)


@pytest.fixture
def fresh(settings: Settings, tmp_path: Path) -> Settings:
    """The same with a data folder for one test."""
    return settings.model_copy(update={"data_dir": share_graphs(tmp_path)})


def share_graphs(data_dir: Path) -> Path:
    """Have the data folder keep graphs where all those of the tests keep them, so that they are made once."""
    place = data_dir / "graphs"
    if data_dir.is_dir() and not place.exists() and not place.is_symlink():
        place.symlink_to(graphs_of_all(), target_is_directory=True)
    return data_dir


@cache
def graphs_of_all() -> Path:
    """The folder of the run, which its workers share; the process that began the run removes it."""
    if kept := os.environ.get(GRAPHS):
        return Path(kept)
    folder = Path(tempfile.mkdtemp(prefix="convlens-graphs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def serving(settings: Settings) -> Iterator[httpx.Client]:
    """The application behind a real server on a thread of this process, and a client of it."""
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            port=0,
            log_config=None,
            timeout_graceful_shutdown=5,
            http=BoundedHttp,
            proxy_headers=False,
        )
    )
    thread = Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive())
        assert server.started, "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def counting_all(settings: Settings) -> Iterator[httpx.Client]:
    """The same where requests wait to be counted as long as a busy machine takes; else some might go uncounted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counters, "ANSWER_SECONDS", 30.0)
        with serving(settings) as client:
            yield client


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings) as client:
        yield client


class Server:
    """A real server process on a free port."""

    def __init__(self, *flags: str) -> None:
        self.process = start("serve", "--port", "0", *flags)
        self.url = await_line(self.process, r"running on (http://\S+)")
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def wait_until_ready(self) -> None:
        eventually(lambda: self.client.get("/readyz").status_code, lambda status: status == 200)

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(timeout=30)

    def kill(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()


def start(command: str, *flags: str) -> subprocess.Popen[str]:
    """A real process of the command line."""
    if "--data-dir" in flags:
        share_graphs(Path(flags[flags.index("--data-dir") + 1]))
    arguments = [sys.executable, "-m", "service", command, "--providers", "cpu", "--threads", "1", *flags]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CONVLENS_")} | {"PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env=environment)


def drain(stream: IO[str]) -> None:
    """Read to the end and close."""
    with stream:
        stream.read()


def await_line(process: subprocess.Popen[str], pattern: str) -> str:
    """Read what the process logs up to a line that fits the pattern; then read on in the background, lest it blocks."""
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if found := re.search(pattern, line):
            Thread(target=drain, args=(process.stderr,), daemon=True).start()
            return found[found.lastindex or 0]
    raise AssertionError(f"the process ended without {pattern!r}:\n" + "".join(lines))


@pytest.fixture
def server(models_dir: Path, tmp_path: Path) -> Iterator[Server]:
    server = Server("--models-dir", str(models_dir), "--data-dir", str(tmp_path))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
