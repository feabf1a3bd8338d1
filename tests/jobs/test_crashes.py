"""Nothing accepted is ever lost: real processes, killed."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from service.client import Client, Job
from service.jobs.valkey import EmbeddedValkey
from service.pictures.decode import decode
from service.pictures.images import encode_png
from tests.batches.archives import zipped
from tests.conftest import Server, await_line, start
from tests.waiting import eventually

PARAMETERS: dict[str, Any] = {"size": 64, "seed": 1, "preview_every": 0}


def until_running(client: Client, job: Job, step: int = 1) -> Job:
    def look() -> Job:
        now = client.get(job.id)
        assert now.state in ("queued", "running"), now
        return now

    return eventually(look, lambda now: now.step >= step)


def submit(client: Client, class_id: int = 76, **parameters: Any) -> Job:
    job = client.submit(class_id, **PARAMETERS, **parameters)
    assert isinstance(job, Job)
    return job


def kill_valkey(valkey: EmbeddedValkey) -> None:
    """As the kernel would when memory is short."""
    with Redis(unix_socket_path=str(valkey.socket)) as redis:
        pid = int(redis.info("server")["process_id"])  # type: ignore[index]
    os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError, FileNotFoundError):
        eventually(Path(f"/proc/{pid}/status").read_text, lambda status: "zombie" in status)


@pytest.mark.parametrize("valkey_dies_too", [False, True], ids=["service", "service-and-valkey"])
def test_a_killed_service_goes_on_from_the_checkpoint(models_dir: Path, tmp_path: Path, valkey_dies_too: bool) -> None:
    flags = ("--models-dir", str(models_dir), "--data-dir", str(tmp_path), "--checkpoint-seconds", "0.3")
    server = Server(*flags)
    with Client(server.url) as client:
        job = submit(client, iterations=1200)
        until_running(client, job, 300)
    server.kill()
    checkpoint = tmp_path / "artifacts" / job.id / "checkpoint.npz"
    assert checkpoint.exists()
    if valkey_dies_too:
        kill_valkey(EmbeddedValkey(tmp_path))
    server = Server(*flags)
    try:
        with Client(server.url) as client:
            resumed = client.wait(job.id, 60)
            assert (resumed.state, resumed.attempts, len(resumed.trace)) == ("succeeded", 2, 1200)
            undisturbed = client.wait(submit(client, iterations=1200).id, 60)
            assert client.image(job.id) == client.image(undisturbed.id)
            assert resumed.trace == undisturbed.trace
            assert not checkpoint.exists()
    finally:
        server.stop()


def test_a_stopped_service_hands_its_job_back(models_dir: Path, tmp_path: Path) -> None:
    flags = ("--models-dir", str(models_dir), "--data-dir", str(tmp_path))
    server = Server(*flags)
    with Client(server.url) as client:
        job = submit(client, iterations=1500)
        until_running(client, job, 100)
    server.stop()
    server = Server(*flags)
    try:
        with Client(server.url) as client:
            resumed = client.wait(job.id, 60)
            assert (resumed.state, resumed.attempts) == ("succeeded", 1)
    finally:
        server.stop()


def test_a_valkey_that_dies_alone_is_started_again(models_dir: Path, tmp_path: Path) -> None:
    server = Server("--models-dir", str(models_dir), "--data-dir", str(tmp_path))
    try:
        with Client(server.url) as client:
            job = submit(client, iterations=1500)
            until_running(client, job, 100)
            kill_valkey(EmbeddedValkey(tmp_path))
            assert client.wait(job.id, 60).state == "succeeded"
    finally:
        server.stop()


class Fleet:
    """One Valkey, a shared folder, API processes and workers."""

    def __init__(self, models_dir: Path, folder: Path, concurrency: int = 1) -> None:
        self._concurrency = str(concurrency)
        self.valkey = EmbeddedValkey(folder)
        self.valkey.start()
        store = f"file://{folder / 'store'}"
        self._flags = (
            "--models-dir",
            str(models_dir),
            "--queue-url",
            self.valkey.url,
            "--store-url",
            store,
            "--data-dir",
            str(folder),
        )
        self.workers: list[subprocess.Popen[str]] = []
        self.apis: list[Server] = []

    def api(self) -> Server:
        self.apis.append(Server(*self._flags, "--no-worker"))
        return self.apis[-1]

    def hire(self, number: int = 1) -> None:
        hired = [
            start("worker", *self._flags, "--checkpoint-seconds", "0.3", "--job-concurrency", self._concurrency)
            for _ in range(number)
        ]
        for worker in hired:
            await_line(worker, "worker ready")
        self.workers += hired

    def kill(self, worker: subprocess.Popen[str]) -> None:
        worker.kill()
        worker.wait()
        self.workers.remove(worker)

    def close(self) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(timeout=30)
        for api in self.apis:
            api.stop()
        self.valkey.stop()


@pytest.fixture
def fleet(models_dir: Path, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(models_dir, tmp_path)
    yield fleet
    fleet.close()


def test_another_worker_takes_over(fleet: Fleet) -> None:
    server = fleet.api()
    fleet.hire(2)
    with Client(server.url) as client:
        jobs = [submit(client, iterations=4000, max_jitter=j) for j in (1, 2)]
        for job in jobs:
            until_running(client, job, 100)
        fleet.hire(1)  # one that has nothing to do: the others finish what they have before they take more
        fleet.kill(fleet.workers[0])
        eventually(
            lambda: [client.get(job.id) for job in jobs],
            lambda seen: any(job.attempts == 2 and job.state == "running" for job in seen),
        )
        for job in jobs:
            client.cancel(job.id)


def test_workers_killed_at_random_lose_nothing(fleet: Fleet, cat: bytes, coffee: bytes) -> None:
    """The tool `tests.tools.batches` does the same to batches of many thousand pictures."""
    server, dice = fleet.api(), random.Random(0)
    fleet.hire(2)
    pictures = {f"{i:02}.png": small(cat if i % 2 else coffee, i) for i in range(60)}
    with Client(server.url) as client, Redis(unix_socket_path=str(fleet.valkey.socket)) as redis:
        chunked = client.batches.begin(zipped(pictures), methods="smoothgrad", samples=3)["id"]
        eventually(lambda: redis.scard(f"convlens:held:{chunked}"), lambda held: held == 2)  # each holds a chunk
        fleet.kill(fleet.workers[0])
        fleet.hire()
        batch = client.submit([i % 1000 for i in range(120)], **PARAMETERS, iterations=40)

        def succeeded() -> int:
            return client.batch(batch.id).states.get("succeeded", 0)  # type: ignore[call-overload, no-any-return]

        for killed in range(1, 5):
            eventually(succeeded, lambda n, enough=20 * killed: n >= enough, 90)
            fleet.kill(dice.choice(fleet.workers))
            fleet.hire()
        eventually(succeeded, lambda n: n >= 120, 90)
        listed = [job.id for job in pages(client, batch.id)]
        assert len(listed) == len(set(listed)) == 120
        assert all(client.image(id_).startswith(b"\x89PNG") for id_ in listed)
        done = client.batches.wait(chunked, 90)
        assert (done["state"], done["items"], done["done"], done["errors"]) == ("succeeded", 60, 60, 0)
        assert [line["item"] for line in client.batches.index(chunked)] == list(pictures)
        assert int(redis.hget(f"convlens:job:{chunked}", "handed")) >= 3  # type: ignore[arg-type]
        assert not redis.scard(f"convlens:held:{chunked}")


def small(photograph: bytes, shift: int) -> bytes:
    """A piece of a photograph as a PNG, at another place for each ``shift``."""
    return encode_png(decode(photograph, 10**7).pixels[shift : shift + 100, shift : shift + 100])


def pages(client: Client, batch: str) -> Iterator[Job]:
    cursor: str | None = None
    while True:
        page = client.search(batch=batch, limit=70, cursor=cursor)
        yield from page.data
        cursor = page.cursor
        if cursor is None:
            return


def test_two_apis_and_three_workers(fleet: Fleet) -> None:
    front, back = fleet.api(), fleet.api()
    fleet.hire(3)
    with Client(front.url) as submitting, Client(back.url) as polling:
        ids = [submit(submitting, class_id, iterations=5).id for class_id in range(100)]
        assert {polling.wait(id_).state for id_ in ids} == {"succeeded"}
        assert polling.image(ids[0]) == submitting.image(ids[0])


def test_a_queue_that_is_away_for_some_time_costs_no_attempt(fleet: Fleet) -> None:
    server = fleet.api()
    fleet.hire()
    with Client(server.url) as client:
        job = submit(client, iterations=1500)
        until_running(client, job, 100)
        kill_valkey(fleet.valkey)
        assert server.client.get(f"/visualize/{job.id}").status_code == 503  # the client would be patient
        time.sleep(5)  # longer than any single command is tried for
        fleet.valkey.start()
        done = client.wait(job.id, 120)
        assert (done.state, done.attempts, len(done.trace)) == ("succeeded", 1, 1500)
