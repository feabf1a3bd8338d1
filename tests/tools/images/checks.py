"""What must hold of the CPU image, on a network of its own."""

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from tests.conftest import PHOTOGRAPHS
from tests.tools.images import topology
from tests.tools.images.container import Container
from tests.waiting import eventually

CAT = (PHOTOGRAPHS / "chelsea.png").read_bytes()
EVERY_MODULE = """
import importlib, pkgutil, service
for module in pkgutil.walk_packages(service.__path__, "service."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
URL = "http://127.0.0.1:8000"


class Checks:
    """Checks of one image, whose containers keep what they write below a folder."""

    def __init__(self, root: Path, config: dict[str, Any], folder: Path) -> None:
        self.root, self.config, self.folder = root, config, folder

    def container(self, name: str, **environment: str) -> Container:
        return Container(self.root, self.config, self.folder / name, environment)

    def valkey(self, service: dict[str, Any]) -> Container:
        """A container of Valkey: the server that the service brings along, with the arguments of the compose file."""
        program, *arguments = service["command"]
        assert program == "valkey-server"
        own = {"Entrypoint": [topology.valkey(self.root)], "WorkingDir": "/data"}
        return Container(self.root, self.config | own, self.folder / "valkey", {}).start(*arguments)

    def alone(self) -> None:
        """`docker run --read-only --tmpfs /tmp -v convlens:/data IMAGE`: queue, store and worker are inside."""
        with self.container("alone", CONVLENS_ALLOWED_HOSTS="lens.example") as container:
            assert not container.is_healthy(), "healthy before it was started"
            container.start()
            with httpx.Client(base_url=URL, timeout=120, headers={"Host": "lens.example"}) as http:
                eventually(container.is_healthy)
                confined(container)
                explained(http)
                drawn(http)
            assert container.stop() == 0
            assert list((self.folder / "alone" / "data").iterdir()), "nothing was kept in /data"

    def whole(self) -> None:
        """What was taken out of the packages is missed by nothing."""
        container = self.container("whole")
        for command in (["python", "-c", EVERY_MODULE], ["convlens", "doctor"]):
            done = container.run(*command)
            assert done.returncode == 0, done.stderr[-3000:]
        assert container.run("python", "-m", "pip").returncode != 0, "there is a pip"

    def composed(self) -> None:
        """The compose file: two workers, an API, a Valkey and a store."""
        services = topology.services()
        with ExitStack() as stack:
            stack.enter_context(store(self.folder))
            stack.enter_context(self.valkey(services["valkey"]))
            parts = {}
            for name, service in (("api", "api"), ("worker-1", "worker"), ("worker-2", "worker")):
                assert services[service]["read_only"]
                environment = {key: str(value) for key, value in services[service]["environment"].items()}
                parts[name] = stack.enter_context(self.container(name, **environment))
                parts[name].start(*services[service]["command"])
            eventually(parts["api"].is_healthy)
            with httpx.Client(base_url=URL, timeout=120) as http:
                explained(http)
                for _ in range(4):
                    drawn(http)
            for name, part in parts.items():
                confined(part)
                assert part.stop() == 0, f"{name} did not end well"


def confined(container: Container) -> None:
    """As the unprivileged user, without capabilities, on a root that cannot be written to."""
    status = container.status()
    assert status["Uid"].split() == ["10001"] * 4, status["Uid"]
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    for place in ("/opt/convlens/written", "/home/convlens/written"):
        assert "Read-only file system" in container.run("touch", place).stderr


def explained(http: httpx.Client) -> None:
    """Maps of a photograph, with what is imported only when it is asked for."""
    for path in ("/saliency", "/saliency?method=lime&regions=superpixels", "/saliency?method=xrai", "/evaluate"):
        answer = http.post(path, files={"image": CAT}, headers={"Accept": "image/png"})
        assert answer.status_code == 200, (path, answer.text[:500])
        with Image.open(io.BytesIO(answer.content)) as image:
            image.load()
            assert min(image.size) >= 200, path


def drawn(http: httpx.Client) -> None:
    """A job and its picture."""
    job = http.post("/visualize", json={"class_id": 285, "iterations": 20, "size": 64})
    assert job.status_code == 202, job.text
    address = f"/visualize/{job.json()['id']}"
    eventually(lambda: http.get(address, params={"wait": 10}).json()["state"], lambda state: state == "succeeded")
    with Image.open(io.BytesIO(http.get(f"{address}/image").content)) as image:
        image.load()


@contextmanager
def store(folder: Path) -> Iterator[None]:
    """A server of S3's protocol (moto) in the place of MinIO, with the bucket that the compose file makes."""
    server = Path(sys.executable).parents[1] / "images" / "bin" / "moto_server"
    with (folder / "store.log").open("wb") as log:
        process = subprocess.Popen([server, "--host", "127.0.0.1", "--port", "9000"], stdout=log, stderr=log)
    try:
        eventually(put_bucket)
        yield
    finally:
        process.kill()
        process.wait()


def put_bucket() -> bool:
    """Make the bucket, if the server is there already."""
    with suppress(httpx.TransportError):
        return httpx.put("http://127.0.0.1:9000/convlens").status_code == 200
    return False


def all_checks(root: Path, config: dict[str, Any], folder: Path) -> None:
    """Make every check; tells each that holds, and raises `AssertionError` at the first that does not."""
    checks = Checks(root, config, folder)
    for check in (checks.whole, checks.alone, checks.composed):
        check()
        print(f"ok   {check.__doc__}", flush=True)
