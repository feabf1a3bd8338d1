"""The cost of installing and starting, compared with PyTorch and Captum.

Run: python -m tests.benchmarks.footprint.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution
from io import BytesIO
from pathlib import Path
from statistics import median

from packaging.requirements import Requirement
from PIL import Image

from service.attribution import METHODS
from service.models.build import build
from service.runtime.memory import TRIM_SECONDS
from tests.benchmarks.measure import table
from tests.conftest import PHOTOGRAPHS, Server

PICTURES = ("chelsea.png", "coffee.png", "rocket.jpg", "astronaut.png")
FIRST_GRADIENT = """
import captum.attr, torch
network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.LazyLinear(10))
captum.attr.Saliency(network).attribute(torch.rand(1, 3, 32, 32), target=1)
print(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
"""


def installed(*names: str) -> dict[str, int]:
    """The packages and all their dependencies, with the size of each in bytes."""
    sizes: dict[str, int] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in sizes:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # a dependency on another platform
        sizes[name] = sum(
            size
            for file in package.files or []
            if (path := Path(str(file.locate()))).is_file() and (size := path.stat().st_size)
        )
        needed = [Requirement(line) for line in package.requires or []]
        extras = ("", "cpu", "service") if name == "convlens" else ("",)
        waiting += [
            one.name
            for one in needed
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras)
        ]
    return sizes


def start_of_service(models: Path, folder: Path) -> tuple[float, float]:
    """Seconds until the service is ready, and the MiB that are then resident."""
    start = time.perf_counter()
    server = Server("--models-dir", str(models), "--data-dir", str(folder), "--threads", "0")
    server.wait_until_ready()
    seconds, resident = time.perf_counter() - start, server.resident_mib()
    server.stop()
    return seconds, resident


def after_requests(models: Path, folder: Path) -> list[tuple[int, float]]:
    """The MiB resident after so many mixed requests at concurrency 8."""
    server = Server("--models-dir", str(models), "--data-dir", str(folder), "--threads", "0")
    server.wait_until_ready()
    found = [(0, server.resident_mib())]
    for until in (1000, 3000, 10_000):
        numbers = range(found[-1][0], until)
        with ThreadPoolExecutor(8) as callers:
            deque(callers.map(lambda i: ask(server, i), numbers), maxlen=0)
        time.sleep(2 * TRIM_SECONDS + 1)  # what is mapped is let go of when there was no work
        found.append((until, server.resident_mib()))
    server.stop()
    return found


ANY = [name for name, method in METHODS.items() if method.needs is None]


def ask(server: Server, i: int) -> None:
    """The i-th of mixed requests: nine of ten are gradients, all sizes, answers and methods come up."""
    name = PICTURES[i % len(PICTURES)]
    accept = ("application/x-npy", "image/png", "application/json")[i % 3]
    options: dict[str, object] = {"output": ("heatmap", "overlay")[i % 2]}
    if i % 10 == 0:
        options["method"] = ANY[i // 10 % len(ANY)]
        options |= {"samples": 2} if options["method"] in ("smoothgrad", "vargrad") else {}
        options |= {"masks": 10} if options["method"] == "rise" else {}
        options |= {"window": 112, "stride": 112} if options["method"] == "occlusion" else {}
        options |= {"steps": 2} if "integrated" in str(options["method"]) else {}
    elif i % 101 == 0:
        options["resize"] = "native"
    path = "/classify" if i % 37 == 0 else "/saliency"
    given = {} if path == "/classify" else options
    data = cut(name, i) if "resize" in options else (PHOTOGRAPHS / name).read_bytes()
    answer = server.client.post(path, files={"image": data}, data=given, headers={"Accept": accept if given else "*/*"})
    assert answer.status_code == 200, answer.text


def cut(name: str, i: int) -> bytes:
    """The upper left corner of a picture, of ever other sizes."""
    with Image.open(PHOTOGRAPHS / name) as image:
        file = BytesIO()
        image.convert("RGB").crop((0, 0, 160 + i % 139, 150 + i % 97)).save(file, "JPEG")
    return file.getvalue()


def start_of_captum() -> tuple[float, float]:
    """Seconds until the first gradient of a tiny network, and the MiB that are then resident."""
    start = time.perf_counter()
    found = subprocess.run([sys.executable, "-c", FIRST_GRADIENT], capture_output=True, text=True, check=True)
    return time.perf_counter() - start, int(found.stdout) / 1024


def main() -> None:
    """Print the tables."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # from the second start on nothing is compiled
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        build(models)
        growth = after_requests(models, Path(folder) / "requests")
        start_of_service(models, Path(folder) / "starts")  # makes the graphs, which are there from then on
        starts = [(start_of_service(models, Path(folder) / "starts"), start_of_captum()) for _ in range(5)]
    rows: list[list[object]] = []
    for i, (what, names) in enumerate(
        {"convlens, ready to serve": ["convlens"], "PyTorch and Captum, first gradient": ["torch", "captum"]}.items()
    ):
        sizes = installed(*names)
        seconds, resident = (median(each[i][k] for each in starts) for k in (0, 1))
        rows.append([what, len(sizes), sum(sizes.values()) / 2**20, seconds, resident])
    table("Memory under mixed requests", ["requests", "MiB resident"], [list(row) for row in growth])
    table("To install and to start", ["what", "packages", "MiB installed", "s to start", "MiB resident"], rows)


if __name__ == "__main__":
    main()
