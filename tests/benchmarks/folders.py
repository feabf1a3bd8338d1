"""`convlens explain` compared with the engine alone, in turns: what a photograph costs.

Run: python -m tests.benchmarks.folders. All cores are busy, so seconds of a core tell the throughput, and other work on
the machine disturbs them less than it does images per second. What it takes to start is left out.
"""

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from service.attribution import METHODS
from service.networks.network import Network
from service.networks.opening import open_networks
from service.networks.questions import PREDICTED
from service.runtime.cores import cores
from service.saliency.view import View
from service.settings import Settings
from tests.benchmarks.measure import rate, table
from tests.conftest import PHOTOGRAPHS

NUMBER, FEW, ROUNDS = 200, 20, 3
SIZE = (500, 375)  # of the photographs, as usual in ImageNet
NAMES = ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg", "retina.jpg", "hubble_deep_field.jpg")


def photographs(folder: Path) -> None:
    """Write photographs that differ, cut at random from samples."""
    chance = random.Random(0)
    samples = [Image.open(PHOTOGRAPHS / name).convert("RGB") for name in NAMES]
    for i in range(NUMBER):
        sample = samples[i % len(samples)]
        left, upper = chance.random() * 0.3 * sample.width, chance.random() * 0.3 * sample.height
        box = (left, upper, left + 0.7 * sample.width, upper + 0.7 * sample.height)
        sample.resize(SIZE, box=box).save(folder / f"{i:04}.jpg", quality=90)


def engine_cost(network: Network, method: str) -> float:
    """Milliseconds of a core for the method alone, on an image as the network takes it."""
    image = np.random.default_rng(0).random((3, *network.size), np.float32)
    view, chosen = View(network, None), METHODS[method]
    start = time.process_time()
    rate(lambda: chosen.run(view, image, PREDICTED, chosen.parameters()), cores(), NUMBER)
    return (time.process_time() - start) / NUMBER * 1e3


def command_cost(folder: Path, out: Path, settings: Settings, method: str, formats: tuple[str, ...]) -> float:
    """Milliseconds of a core that the command takes for a photograph."""
    flags = [flag for name in formats for flag in ("--format", name)]
    places = ["--models-dir", str(settings.models_dir), "--data-dir", str(settings.data_dir), "--providers", "cpu"]
    command = [sys.executable, "-m", "service", "explain", str(folder), "--out", str(out), "--method", method]
    seconds = []
    for more in (["--limit", str(FEW)], ["--force"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, "--no-report", *more, *flags, *places], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return (seconds[1] - seconds[0]) / (NUMBER - FEW) * 1e3


def main() -> None:
    """Print the table."""
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "photographs").mkdir()
        (root / "data").mkdir()
        photographs(root / "photographs")
        models_dir = Path(os.environ.get("CONVLENS_MODELS_DIR", "onnx_models"))
        settings = Settings(models_dir=models_dir, data_dir=root / "data", providers="cpu")
        network = open_networks(settings)[settings.default_model]
        network.warm_up()
        for method in ("gradient", "grad_cam"):
            found: dict[str, list[float]] = {"engine": [], "maps": [], "maps and overlays": []}
            for turn in range(ROUNDS):
                for name, formats in (("maps", ("npy",)), ("maps and overlays", ("npy", "png"))):
                    found["engine"].append(engine_cost(network, method))
                    out = root / f"{method} {name} {turn}"
                    found[name].append(command_cost(root / "photographs", out, settings, method, formats))
            engine, maps, both = (median(costs) for costs in found.values())
            rows.append([method, engine, maps, engine / maps, both, engine / both])
    columns = ["method", "engine alone", "maps", "share", "maps and overlays", "share"]
    table(f"{NUMBER} photographs of {SIZE[0]} x {SIZE[1]}, ms of a core for each", columns, rows)


if __name__ == "__main__":
    main()
