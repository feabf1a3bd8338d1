"""How jobs affect requests: `/saliency` while jobs run, and submitting to a full queue.

Run: python -m tests.benchmarks.jobs.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from service.client import Client
from service.models.build import build
from tests.benchmarks.measure import table
from tests.conftest import PHOTOGRAPHS, Server
from tests.waiting import eventually


def milliseconds(function: Callable[[], object], times: int) -> float:
    """The median duration of calls."""
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        durations.append((time.perf_counter() - start) * 1e3)
    return median(durations)


def side_by_side(models: Path, folder: Path) -> None:
    """Jobs in parallel compared with one after the other."""
    rows: list[list[object]] = []
    first: list[bytes] = []
    for concurrency in (1, 2, 4, 8):
        flags = ("--models-dir", str(models), "--data-dir", str(folder / str(concurrency)), "--threads", "0")
        server = Server(*flags, "--job-concurrency", str(concurrency))
        with Client(server.url) as client:
            client.wait(client.submit(1, iterations=5).id)
            start = time.perf_counter()
            batch = client.submit([76, 187, 366, 530, 604, 683, 1, 2], iterations=100, seed=1, preview_every=0)
            for job in batch.data:  # type: ignore[union-attr]
                client.wait(job.id)
            seconds = time.perf_counter() - start
            pictures = [client.image(job.id) for job in batch.data]  # type: ignore[union-attr]
            resident = server.resident_mib()
        server.stop()
        first = first or pictures
        rows.append([concurrency, seconds, seconds / 8, resident, "yes" if pictures == first else "no"])
    table("8 jobs of 100 steps", ["at the same time", "s", "s per job", "resident MiB", "same bytes"], rows)


def main() -> None:
    """Print the table."""
    cat = (PHOTOGRAPHS / "chelsea.png").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        build(models)
        server = Server("--models-dir", str(models), "--data-dir", folder, "--threads", "0", "--max-jobs", "10000")

        def saliency() -> None:
            server.client.post("/saliency", files={"image": cat}, headers={"Accept": "image/png"}).raise_for_status()

        with Client(server.url) as client:
            milliseconds(saliency, 20)
            idle, busy = [], []
            for _ in range(3):
                idle.append(milliseconds(saliency, 40))
                job = client.submit(76, iterations=4000, preview_every=1000)
                eventually(lambda job=job: client.get(job.id).step)  # type: ignore[misc]
                busy.append(milliseconds(saliency, 40))
                client.cancel(job.id)
                client.wait(job.id)
            print("| what | idle | while a job runs | ratio |\n| --- | --- | --- | --- |")
            print(
                f"| POST /saliency, median ms | {median(idle):.1f} | {median(busy):.1f} "
                f"| {median(busy) / median(idle):.2f} |"
            )
            few = milliseconds(lambda: client.submit(76, iterations=4000, preview_every=0), 100)
            for _ in range(9):
                client.submit([76] * 1000, iterations=4000, preview_every=0)
            room = 10_000 - 100 - 9_000
            many = milliseconds(lambda: client.submit(76, iterations=4000, preview_every=0), room)
            refused = server.client.post("/visualize", json={"class_id": 76}).status_code
            print(
                "| POST /visualize, median ms with 100 and with 9,100 to 10,000 queued "
                f"| {few:.1f} | {many:.1f} | {many / few:.2f} |"
            )
            for job in client.search(limit=200).data:
                client.cancel(job.id)
            print(f"\njob 10,001 of a bound of 10,000: {refused}")
        server.stop()
        side_by_side(models, Path(folder))


if __name__ == "__main__":
    main()
