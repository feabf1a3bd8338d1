"""The cost of installing and starting, compared with PyTorch and Captum.

Run: python -m tests.benchmarks.footprint.
"""

import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from statistics import median

from packaging.requirements import Requirement

from service.models.build import build
from tests.benchmarks.measure import table
from tests.conftest import Server

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
        waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return sizes


def start_of_service(models: Path, folder: Path) -> tuple[float, float]:
    """Seconds until the service is ready, and the MiB that are then resident."""
    start = time.perf_counter()
    server = Server("--models-dir", str(models), "--data-dir", str(folder), "--threads", "0")
    server.wait_until_ready()
    seconds, resident = time.perf_counter() - start, server.resident_mib()
    server.stop()
    return seconds, resident


def start_of_captum() -> tuple[float, float]:
    """Seconds until the first gradient of a tiny network, and the MiB that are then resident."""
    start = time.perf_counter()
    found = subprocess.run([sys.executable, "-c", FIRST_GRADIENT], capture_output=True, text=True, check=True)
    return time.perf_counter() - start, int(found.stdout) / 1024


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        build(models)
        starts = [(start_of_service(models, Path(folder) / str(i)), start_of_captum()) for i in range(3)]
    rows: list[list[object]] = []
    for i, (what, names) in enumerate(
        {"convlens, ready to serve": ["convlens"], "PyTorch and Captum, first gradient": ["torch", "captum"]}.items()
    ):
        sizes = installed(*names)
        seconds, resident = (median(each[i][k] for each in starts) for k in (0, 1))
        rows.append([what, len(sizes), sum(sizes.values()) / 2**20, seconds, resident])
    table("To install and to start", ["what", "packages", "MiB installed", "s to start", "MiB resident"], rows)


if __name__ == "__main__":
    main()
