"""A large batch on three workers, of which some are killed at random, and the API too: `python -m tests.tools.batches`.

Tells whether each item has its result exactly once, and how many pictures a second that were, beside what the engine
alone does with the same pictures on all cores.
"""

import argparse
import io
import json
import random
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from service.main import open_networks
from service.models.build import build
from service.pictures.decode import decode
from service.saliency.explain import explain, question_of
from service.saliency.intake import fit
from service.settings import Settings
from service.telemetry.timing import Stopwatch
from tests.conftest import PHOTOGRAPHS, Server
from tests.jobs.test_crashes import Fleet
from tests.tools.soak.processor import seconds_of

NAMES = ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg", "motorcycle_left.png", "ihc.png")


def photographs(number: int, seed: int = 0) -> dict[str, bytes]:
    """So many different pieces of the samples, as JPEGs by name."""
    dice, made = random.Random(seed), {}
    images = [Image.open(PHOTOGRAPHS / name).convert("RGB") for name in NAMES]
    for i in range(number):
        image = images[i % len(images)]
        width, height = (dice.randint(length // 2, length) for length in image.size)
        left, upper = dice.randint(0, image.width - width), dice.randint(0, image.height - height)
        buffer = io.BytesIO()
        image.crop((left, upper, left + width, upper + height)).save(buffer, "JPEG", quality=85)
        made[f"{i % 100:02}/{i:06}.jpg"] = buffer.getvalue()
    return made


def archive(pictures: dict[str, bytes], file: Path) -> Path:
    with zipfile.ZipFile(file, "w") as made:
        for name, data in pictures.items():
            made.writestr(name, data)
    return file


def measure_engine(models: Path, folder: Path, pictures: list[bytes]) -> None:
    """Print pictures a second of gradients alone, and with decoding and fitting, on all lanes of one process.

    And the time of the processor that each takes, which does not depend on what else the machine does.
    """
    networks = open_networks(Settings(models_dir=models, data_dir=folder, providers="cpu"))
    network = networks["squeezenet1_1"].in_background()
    network.warm_up()
    question = question_of(network, "gradient", {}, None, None)

    def whole(data: bytes) -> None:
        photograph = decode(data, 10**8)
        explain(network, photograph, fit(network, photograph, "squash"), question, Stopwatch())

    fitted = [fit(network, decode(data, 10**8), "squash").pixels for data in pictures]
    with ThreadPoolExecutor(network.lanes + 1) as pool:
        gradient: Callable[[Any], Any] = lambda image: network.value_and_grad(image[None])  # noqa: E731
        for name, function, things in (("gradients", gradient, fitted), ("with decoding", whole, pictures)):
            started, used = time.monotonic(), time.process_time()
            list(pool.map(function, things))
            told(f"engine, {name}", len(things), time.monotonic() - started, time.process_time() - used)
    networks.close()


def told(what: str, pictures: int, seconds: float, used: float) -> None:
    rate = f"{pictures / seconds:.1f} pictures/s"
    print(f"{what}: {rate}, {1000 * used / pictures:.1f} ms of a core each", flush=True)


def check(client: httpx.Client, batch: str, names: list[str]) -> Counter[str]:
    """The number of results of each item, which should be 1; and that all maps are there."""
    lines = [json.loads(line) for line in client.get(f"/batches/{batch}/index").text.splitlines()]
    errors = [line for line in lines if "error" in line]
    print(f"{len(lines)} lines, {len(errors)} errors", *errors[:5], sep="\n")
    with tempfile.TemporaryFile() as file:
        with client.stream("GET", f"/batches/{batch}/results") as response:
            for piece in response.iter_bytes():
                file.write(piece)
        with zipfile.ZipFile(file) as results:
            maps = [name for name in results.namelist() if name.startswith("maps/")]
            assert results.testzip() is None
    print(f"{len(maps)} maps, {len(set(maps))} different")
    counts = Counter(line["item"] for line in lines)
    assert sorted(maps) == sorted(line["map"] for line in lines if "map" in line)
    assert counts.keys() == set(names)
    return counts


def run(items: int, workers: int, kills: int, api_kills: int, seed: int) -> None:
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        models = folder / "models"
        build(models)
        pictures = photographs(items)
        measure_engine(models, folder / "engine", list(pictures.values())[:400])
        file = archive(pictures, folder / "photographs.zip")
        fleet = Fleet(models, folder / "fleet", concurrency=2)
        api = fleet.api()
        fleet.hire(workers)
        try:
            with file.open("rb") as opened:
                answer = api.client.post("/batches", content=opened, headers={"Content-Type": "application/zip"})
            batch = answer.raise_for_status().json()["id"]
            started, before = time.monotonic(), sum(seconds_of(worker.pid) for worker in fleet.workers)
            events = sorted((dice.random() * 0.9, what) for what in ["worker"] * kills + ["api"] * api_kills)
            state = {"state": "queued", "done": 0}
            while state["state"] in ("queued", "running"):
                time.sleep(0.2)
                state = api.client.get(f"/batches/{batch}").json()
                while events and state["done"] >= events[0][0] * items:
                    api = disturb(fleet, api, events.pop(0)[1], dice)
                    print(f"{state['done']} done", flush=True)
            seconds = time.monotonic() - started
            print(f"{state['state']}: {items} in {seconds:.1f} s, {items / seconds:.1f} pictures/s", flush=True)
            if not kills:
                told("workers", items, seconds, sum(seconds_of(worker.pid) for worker in fleet.workers) - before)
            counts = check(api.client, batch, list(pictures))
            assert set(counts.values()) == {1}
        finally:
            fleet.close()
        measure_engine(models, folder / "engine", list(pictures.values())[:400])


def disturb(fleet: Fleet, api: Server, what: str, dice: random.Random) -> Server:
    """Kill a worker or the API, and start another in its place."""
    print(f"kill {what}", end=", ")
    if what == "api":
        fleet.apis.remove(api)
        api.kill()
        return fleet.api()
    fleet.kill(dice.choice(fleet.workers[:2]))
    fleet.hire()
    return api


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--api-kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    run(given.items, given.workers, given.kills, given.api_kills, given.seed)
