"""The service under abuse: an API, two workers and a Valkey, each a process of its own, and callers with keys."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from service.api.keys import digest, new_key
from service.jobs.valkey import EmbeddedValkey
from tests.tools.soak.clock import Clock
from tests.tools.soak.processor import children, seconds_of
from tests.tools.soak.target import ABUSERS, INNOCENT, NEIGHBOUR, Target
from tests.waiting import eventually

RATE = "1000000/minute"  # counted, never reached
TICKS = os.sysconf("SC_CLK_TCK")


class Part:
    """A process of the service, which logs into a file."""

    def __init__(self, name: str, log: Path, command: str, flags: list[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._log = log
        own = {k: v for k, v in os.environ.items() if not k.startswith("CONVLENS_")} | {"PYTHONUNBUFFERED": "1"}
        arguments = [sys.executable, "-m", "service", command, "--providers", "cpu", *flags]
        with log.open("ab") as file:
            self._start = file.tell()
            self.process = subprocess.Popen(arguments, stderr=file, stdout=file, env={**own, **environment})

    @property
    def pid(self) -> int:
        return self.process.pid

    def await_line(self, pattern: str) -> str:
        """What of the log fits the pattern."""

        def look() -> re.Match[str] | None:
            assert self.process.poll() is None, f"{self.name} has ended:\n{self._log.read_text()[-3000:]}"
            return re.search(pattern, self._log.read_bytes()[self._start :].decode())

        found = eventually(look)
        assert found is not None
        return found[found.lastindex or 0]

    def stop(self, signum: int = signal.SIGTERM) -> None:
        self.process.send_signal(signum)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Installation:
    """All of it. clock: of the API and of the first worker, if it is to be moved."""

    def __init__(self, models: Path, folder: Path, clock: Clock | None = None) -> None:
        folder.mkdir()
        self._folder, self._clock = folder, clock
        self.keys = {name: new_key() for name in (INNOCENT, NEIGHBOUR, *ABUSERS)}
        (folder / "keys").write_text("".join(f"{name} {digest(key)}\n" for name, key in self.keys.items()))
        self._valkey = EmbeddedValkey(folder)
        self._valkey.start()
        self._flags = ["--models-dir", str(models), "--data-dir", str(folder), "--queue-url", self._valkey.url]
        limits = ["--api-keys-file", str(folder / "keys"), "--rate-limit", RATE, "--no-access-log", "--no-worker"]
        environment = clock.environment("api") if clock else {}
        flags = [*self._flags, "--port", "0", *limits]
        self.api = Part("API", folder / "api.log", "serve", flags, environment)
        host, _, port = self.api.await_line(r"running on http://(\S+)").partition(":")
        self.address = host, int(port)
        self.workers = [self._worker(i) for i in range(2)]
        for worker in self.workers:
            worker.await_line("worker ready")
        eventually(lambda: httpx.get(f"http://{host}:{port}/readyz").status_code, lambda status: status == 200)
        with Redis(unix_socket_path=str(self._valkey.socket)) as redis:
            info: Any = redis.info("server")
        self.valkey_pid = int(info["process_id"])

    def _worker(self, number: int) -> Part:
        environment = self._clock.environment("worker") if self._clock and number == 0 else {}
        name = f"worker {number}"
        return Part(name, self._folder / f"worker{number}.log", "worker", self._flags, environment)

    def target(self, pictures: Path) -> Target:
        return Target(self.address, self.keys, pictures)

    def kill_worker(self, number: int) -> None:
        """Kill it and start another in its place, without waiting for that."""
        self.workers[number].stop(signal.SIGKILL)
        self.workers[number] = self._worker(number)

    def move_clocks(self, api: int, worker: int) -> None:
        """Set the clocks of the API and of the first worker so many seconds from the true time."""
        assert self._clock is not None
        self._clock.move("api", api)
        self._clock.move("worker", worker)

    def await_workers(self) -> None:
        for worker in self.workers:
            worker.await_line("worker ready")

    def pids(self) -> dict[str, int]:
        """The processes by name."""
        return {part.name: part.pid for part in (self.api, *self.workers)} | {"Valkey": self.valkey_pid}

    def cpu_seconds(self) -> dict[str, float]:
        """Of each process and its children so far."""
        return {name: sum(map(seconds_of, (pid, *children(pid)))) for name, pid in self.pids().items()}

    def memory(self) -> dict[str, float]:
        """Resident MiB of the API and the workers."""
        return {name: _mib(pid, "VmRSS") for name, pid in self.pids().items() if name != "Valkey"}

    def peak(self) -> dict[str, float]:
        """The most that it has been since `forget_peak`, MiB."""
        return {name: _mib(pid, "VmHWM") for name, pid in self.pids().items() if name != "Valkey"}

    def forget_peak(self) -> None:
        for pid in self.pids().values():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def errors_logged(self) -> list[str]:
        """The last lines of tracebacks, and errors, since the last call."""
        found: list[str] = []
        for log in sorted(self._folder.glob("*.log")):
            read = log.with_suffix(".read")
            start = int(read.read_text()) if read.exists() else 0
            data = log.read_bytes()
            read.write_text(str(len(data)))
            found += _errors(data[start:].decode(errors="replace"))
        return found

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.valkey_pid, signal.SIGCONT)
        for part in (*self.workers, self.api):
            part.stop()
        self._valkey.stop()


def _errors(text: str) -> list[str]:
    in_traceback, found = False, []
    for line in text.splitlines():
        if line.startswith("Traceback"):
            in_traceback = True
        elif in_traceback and line and not line[0].isspace():
            found.append(line[:200])
            in_traceback = False
    return found


def _mib(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
