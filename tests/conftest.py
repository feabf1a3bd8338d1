"""The real parts: SqueezeNet as built, photographs that a package ships, the application, the server process."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx
import pytest
import skimage
import uvicorn

from service.engine import Engine
from service.main import create_app
from service.models.build import build
from service.models.library import Library
from service.network import Network, Networks
from service.settings import Settings

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    build(folder)
    return folder


@pytest.fixture(scope="session")
def network(models_dir: Path) -> Network:
    return Networks(Library(models_dir), Engine("cpu", threads=1))["squeezenet1_1"]


@pytest.fixture(scope="session")
def cat() -> bytes:
    return (PHOTOGRAPHS / "chelsea.png").read_bytes()


@pytest.fixture(scope="session")
def coffee() -> bytes:
    return (PHOTOGRAPHS / "coffee.png").read_bytes()


@pytest.fixture(scope="session")
def settings(models_dir: Path) -> Settings:
    return Settings(models_dir=models_dir, providers="cpu", threads=1)


@contextmanager
def serving(settings: Settings) -> Iterator[httpx.Client]:
    """The application behind a real server on a thread of this process, and a client of it."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_config=None, timeout_graceful_shutdown=5))
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings) as client:
        yield client


class Server:
    """A real server process on a free port."""

    def __init__(self, *flags: str) -> None:
        command = [sys.executable, "-m", "service", "serve", "--port", "0", "--providers", "cpu", *flags]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CONVLENS_")} | {"PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        self.url = self._await_address()
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def _await_address(self) -> str:
        lines: list[str] = []
        assert self.process.stderr is not None
        for line in self.process.stderr:
            lines.append(line)
            if found := re.search(r"running on (http://\S+)", line):
                return found[1]
        raise AssertionError("the server did not start:\n" + "".join(lines))

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.communicate(timeout=30)


@pytest.fixture
def server(models_dir: Path) -> Iterator[Server]:
    server = Server("--models-dir", str(models_dir))
    yield server
    server.stop()
