"""The innocent client, in a process of its own: one gradient of a small photograph at a time, and a look at /healthz.

A neighbour with another key submits a job and waits for its picture.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from threading import Thread

import httpx

from tests.tools.soak.judgement import Latency, latency
from tests.tools.soak.target import INNOCENT, NEIGHBOUR, SMALL, SPAWN, Target

PATIENCE = 30.0  # seconds
HEALTH_EVERY = 0.02  # seconds
JOB_AFTER = 3.0  # seconds


@dataclass
class _Times:
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def take(self, ask: Callable[[], httpx.Response]) -> httpx.Response | None:
        started = time.perf_counter()
        response = None
        try:
            response = ask()
            status = str(response.status_code)
        except httpx.HTTPError as error:
            status = type(error).__name__
        self.seconds.append(time.perf_counter() - started)
        self.statuses[status] += 1
        return response

    def latency(self) -> Latency:
        return latency(self.seconds, self.statuses)


@dataclass(frozen=True)
class Experience:
    """What happened to the innocent. begin: seconds until the neighbour's job began, None if there was none."""

    gradients: Latency
    health: Latency
    begin: float | None
    job: str | None


class Innocent:
    """The process. neighbour: whether a job is submitted too, and its beginning waited for."""

    def __init__(self, target: Target, neighbour: bool = False) -> None:
        self._stop, (self._result, sender) = SPAWN.Event(), SPAWN.Pipe(duplex=False)
        self._process = SPAWN.Process(target=_live, args=(target, neighbour, self._stop, sender))
        self._process.start()
        self._result.recv()

    def end(self) -> Experience:
        """Stop; what happened."""
        self._stop.set()
        experience: Experience = self._result.recv()
        self._process.join()
        return experience


def _live(target: Target, neighbour: bool, stop: Event, result: Connection) -> None:
    gradients, health, begun = _Times(), _Times(), _Begun()
    result.send("started")
    threads = [
        Thread(target=_ask_for_gradients, args=(target, gradients, stop)),
        Thread(target=_look_at_health, args=(target, health, stop)),
    ]
    if neighbour:
        threads.append(Thread(target=begun.run, args=(target, stop)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.send(Experience(gradients.latency(), health.latency(), begun.seconds, begun.id))


def _ask_for_gradients(target: Target, times: _Times, stop: Event) -> None:
    photograph = (target.folder / SMALL).read_bytes()
    headers = {"Authorization": f"Bearer {target.keys[INNOCENT]}", "Content-Type": "image/png", "Accept": "image/png"}
    with httpx.Client(base_url=target.url, headers=headers, timeout=PATIENCE) as client:
        while not stop.is_set():
            times.take(lambda: client.post("/saliency", content=photograph))


def _look_at_health(target: Target, times: _Times, stop: Event) -> None:
    with httpx.Client(base_url=target.url, timeout=PATIENCE) as client:
        while not stop.wait(HEALTH_EVERY):
            times.take(lambda: client.get("/healthz"))


class _Begun:
    """The neighbour's job. seconds: from before it was asked for until it was seen to run."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.id: str | None = None

    def run(self, target: Target, stop: Event) -> None:
        stop.wait(JOB_AFTER)
        headers = {"Authorization": f"Bearer {target.keys[NEIGHBOUR]}"}
        parameters = {"class_id": 76, "size": 64, "iterations": 40, "seed": 1, "preview_every": 0}
        started = time.monotonic()
        with httpx.Client(base_url=target.url, headers=headers, timeout=PATIENCE) as client:
            while self.id is None and not stop.is_set():
                try:
                    response = client.post("/visualize", json=parameters)
                    self.id = response.json()["id"] if response.status_code == 202 else None
                except httpx.HTTPError:
                    pass
                stop.wait(0 if self.id else 0.5)
            while self.seconds is None and not stop.is_set():
                try:
                    job = client.get(f"/visualize/{self.id}")
                    if job.status_code == 200 and job.json()["state"] != "queued":
                        self.seconds = time.monotonic() - started
                except httpx.HTTPError:
                    pass
                stop.wait(0.1)
