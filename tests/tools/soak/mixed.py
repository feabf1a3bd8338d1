"""A soak: mixed load on an API and two workers, while workers and Valkey are killed and frozen and clients are slow.

It ends in a report, and with status 1 if something accepted was lost, something answered 5xx but 503, or memory kept
growing.
"""

import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from service.jobs.valkey import EmbeddedValkey
from service.models.build import build
from tests.conftest import PHOTOGRAPHS, Server, await_line, start

CALLERS = 8
METHODS = ["gradient", "gradient", "gradient", "grad_cam", "guided_backprop", "smoothgrad"]
BAD = [b"no picture", b"\x89PNG\r\n\x1a\n", b""]
PHOTOGRAPH = (PHOTOGRAPHS / "chelsea.png").read_bytes()


@dataclass
class Seen:
    """What was seen, by all threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    memory: list[tuple[float, float]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, status: int) -> None:
        with self.lock:
            self.statuses[f"{what} {status}"] += 1


class Soak:
    """The processes under test and the threads that trouble them."""

    def __init__(self, folder: Path, seconds: float) -> None:
        build(folder / "models")
        self.store = folder / "store"
        self.store.mkdir()
        # A file system that can be filled without harm; only root can make one.
        self.small = (
            os.geteuid() == 0
            and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(self.store)]).returncode == 0
        )
        self.valkey = EmbeddedValkey(folder)
        self.valkey.start()
        self.flags = ("--models-dir", str(folder / "models"), "--data-dir", str(folder), "--queue-url", self.valkey.url)
        self.flags += ("--store-url", f"file://{self.store}", "--checkpoint-seconds", "1")
        self.server = Server(*self.flags, "--no-worker", "--no-access-log")
        self.workers = [self.worker(), self.worker()]
        self.seen, self.random = Seen(), random.Random(0)
        self.end = time.monotonic() + seconds
        self.seconds = seconds

    def worker(self) -> subprocess.Popen[str]:
        process = start("worker", *self.flags)
        await_line(process, "worker ready")
        return process

    @property
    def running(self) -> bool:
        return time.monotonic() < self.end

    def call_saliency(self) -> None:
        """Photographs, now and then something that is none."""
        with httpx.Client(base_url=self.server.url, timeout=60) as client:
            while self.running:
                bad = random.random() < 0.05
                query = {"method": random.choice(METHODS), "samples": 4} if not bad else {}
                if query and query["method"] != "smoothgrad":
                    query.pop("samples")
                started = time.perf_counter()
                body = random.choice(BAD) if bad else PHOTOGRAPH
                response = client.post(
                    "/saliency",
                    params=query,
                    content=body,
                    headers={"Content-Type": "image/png", "Accept": "image/png"},
                )
                self.seen.note("bad photograph" if bad else "photograph", response.status_code)
                if not bad and query.get("method") == "gradient":
                    self.seen.seconds.append(time.perf_counter() - started)

    def submit_jobs(self) -> None:
        """Jobs of several kinds; some are cancelled, some deleted."""
        with httpx.Client(base_url=self.server.url, timeout=60) as client:
            n = 0
            while self.running:
                n += 1
                if n % 5 == 0:
                    data = {
                        "kind": "deepdream",
                        "size": 64,
                        "octaves": 2,
                        "steps_per_octave": 5,
                        "seed": n,
                        "preview_every": 0,
                    }
                    response = client.post("/visualize", data=data, files={"image": PHOTOGRAPH})
                else:
                    data = {"class_id": n % 1000, "size": 64, "iterations": 40, "seed": n, "preview_every": 20}
                    response = client.post("/visualize", json=data)
                self.seen.note("job", response.status_code)
                if response.status_code == 202:
                    id_ = response.json()["id"]
                    self.seen.accepted.append(id_)
                    if n % 11 == 0 and client.post(f"/visualize/{id_}/cancel").status_code == 200:
                        self.seen.cancelled.add(id_)
                    if n % 17 == 0 and client.delete(f"/visualize/{id_}").status_code == 204:
                        self.seen.deleted.add(id_)
                time.sleep(0.5)

    def be_slow(self) -> None:
        """A client that sends a byte now and then, and goes away."""
        host, port = self.server.url.removeprefix("http://").split(":")
        while self.running:
            with suppress(OSError), socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(
                    b"POST /saliency HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 100000\r\n\r\n"
                )
                for _ in range(10):
                    if self.running:
                        connection.sendall(b"x")
                        time.sleep(0.5)
            self.seen.faults["slow client"] += 1

    def make_trouble(self) -> None:
        """In turn: a worker killed, the Valkey frozen, a worker frozen, the Valkey killed, the disk full."""
        troubles: list[Callable[[], None]] = [
            self.kill_worker,
            self.freeze_valkey,
            self.freeze_worker,
            self.kill_valkey,
        ]
        if self.small:
            troubles.append(self.fill_disk)
        n = 0
        while self.running:
            time.sleep(min(max(self.seconds / 16, 6), 40))
            if self.running:
                troubles[n % len(troubles)]()
                n += 1

    def kill_worker(self) -> None:
        i = self.random.randrange(2)
        self.workers[i].kill()
        self.workers[i].wait()
        self.workers[i] = self.worker()
        self.seen.faults["worker killed"] += 1

    def freeze_worker(self) -> None:
        worker = self.workers[self.random.randrange(2)]
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(8)
        os.kill(worker.pid, signal.SIGCONT)
        self.seen.faults["worker frozen"] += 1

    def valkey_pid(self) -> int:
        with Redis(unix_socket_path=str(self.valkey.socket)) as redis:
            info: Any = redis.info("server")
            return int(info["process_id"])

    def freeze_valkey(self) -> None:
        pid = self.valkey_pid()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(pid, signal.SIGCONT)
        self.seen.faults["valkey frozen"] += 1

    def kill_valkey(self) -> None:
        os.kill(self.valkey_pid(), signal.SIGKILL)
        time.sleep(1)
        self.valkey.start()
        self.seen.faults["valkey killed"] += 1

    def fill_disk(self) -> None:
        filler = self.store / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(2**20))
        time.sleep(4)
        filler.unlink()
        self.seen.faults["disk of the store full"] += 1

    def watch_memory(self) -> None:
        while self.running:
            self.seen.memory.append((time.monotonic(), self.server.resident_mib()))
            time.sleep(2)

    def run(self) -> bool:
        """All of it; whether all went well."""
        tasks = [self.call_saliency] * CALLERS + [self.submit_jobs, self.be_slow, self.make_trouble, self.watch_memory]
        threads = [threading.Thread(target=task) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        states = self.settle()
        return self.report(states)

    def settle(self) -> Counter[str]:
        """Wait for the end of every job that was accepted; how they ended."""
        states: Counter[str] = Counter()
        with httpx.Client(base_url=self.server.url, timeout=90) as client:
            for id_ in self.seen.accepted:
                state, deadline = "lost", time.monotonic() + 300
                while time.monotonic() < deadline:
                    response = client.get(f"/visualize/{id_}", params={"wait": 30})
                    state = "deleted" if response.status_code == 404 and id_ in self.seen.deleted else "lost"
                    if response.status_code == 200:
                        state = response.json()["state"]
                        if state == "failed":
                            state = "failed with reason" if response.json()["problem"] else "failed without reason"
                    if state not in ("queued", "running", "cancelling"):
                        break
                states[state] += 1
        return states

    def report(self, states: Counter[str]) -> bool:
        """Print what was seen."""
        seconds, memory = sorted(self.seen.seconds), [mib for _, mib in self.seen.memory]
        third = len(memory) // 3
        early, late = (sum(part) / max(len(part), 1) for part in (memory[third : 2 * third], memory[2 * third :]))
        wrong = [name for name in self.seen.statuses if name.split()[-1] >= "500" and not name.endswith(" 503")]
        accepted = len(self.seen.accepted)
        ended = sum(states[s] for s in ("succeeded", "cancelled", "failed with reason", "deleted"))
        print(f"\n# Soak of {self.seconds:.0f} s, {CALLERS} callers\n")
        print("faults     ", dict(self.seen.faults))
        print("answers    ", dict(sorted(self.seen.statuses.items())))
        print(f"jobs        accepted {accepted} = {dict(states)}")
        p50, p99 = (seconds[int(len(seconds) * share)] * 1e3 for share in (0.5, 0.99))
        print(f"/saliency   {len(seconds)} gradients, p50 {p50:.0f} ms, p99 {p99:.0f} ms")
        print("memory, MiB", " ".join(f"{mib:.0f}" for mib in memory[:: max(1, len(memory) // 20)]))
        print(f"            second third {early:.0f}, last third {late:.0f}: {(late / early - 1) * 100:+.1f} %")
        good = accepted == ended and not wrong and late < 1.1 * early
        print("PASSED" if good else f"FAILED: lost {accepted - ended}, answers {wrong}")
        return good

    def stop(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.server.stop()
        self.valkey.stop()
        if self.small:
            subprocess.run(["umount", str(self.store)], check=True)


def run(seconds: float) -> int:
    """Soak for so long; 0 if all went well."""
    with tempfile.TemporaryDirectory() as name:
        soak = Soak(Path(name), seconds)
        try:
            return 0 if soak.run() else 1
        finally:
            soak.stop()
