"""`POST /saliency` over HTTP compared with the engine alone on the same cores.

Run: python -m tests.benchmarks.http.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import Thread

import httpx
import numpy as np
from PIL import Image

from service.api.negotiation import JSON, NPY, PNG
from service.models.build import build
from service.networks.catalog import Networks
from service.runtime.batcher import Batcher
from service.runtime.engine import Engine
from tests.benchmarks.measure import rate, table
from tests.conftest import PHOTOGRAPHS, Server

CORES = os.cpu_count() or 1
REQUESTS = 160
ROUNDS = 5
ANSWERS = [(NPY, "heatmap"), (PNG, "heatmap"), (PNG, "overlay"), (JSON, "heatmap")]
CALLERS = (1, 16)
COLUMNS = ["callers", "requests/s", "p50 ms", "p99 ms", "engine alone/s", "of the engine", "p50 / engine"]
STAGES = ["decode", "resize", "run", "colour", "encode"]


# A separate, light process on bare sockets, because it shares the cores with the server.
LOAD = """
import selectors, socket, sys, time, urllib.parse
url, accept, output, path, callers, requests = sys.argv[1:]
data, address = open(path, "rb").read(), urllib.parse.urlsplit(url)
head = f"POST /saliency?output={output} HTTP/1.1\\r\\nHost: {address.netloc}\\r\\nAccept: {accept}\\r\\n"
request = (head + f"Content-Type: image/jpeg\\r\\nContent-Length: {len(data)}\\r\\n\\r\\n").encode() + data
left, durations, ready = int(requests), [], selectors.DefaultSelector()

class Caller:
    def __init__(self):
        self.socket = socket.create_connection((address.hostname, address.port))
        ready.register(self.socket, selectors.EVENT_READ, self)
        self.buffer = bytearray(1 << 21)
        self.ask()

    def ask(self):
        global left
        left -= 1
        self.start, self.got, self.need = time.perf_counter(), 0, None
        self.socket.sendall(request)

    def receive(self):
        self.got += (n := self.socket.recv_into(memoryview(self.buffer)[self.got :]))
        assert n, "the server has closed the connection"
        end = self.buffer.find(b"\\r\\n\\r\\n", 0, self.got)
        if self.need is None and end >= 0:
            header = bytes(self.buffer[:end]).lower()
            assert header.startswith(b"http/1.1 200"), header
            self.need = end + 4 + int(header.split(b"content-length:")[1].split(b"\\r\\n")[0])
        if self.got == self.need:
            durations.append(time.perf_counter() - self.start)
            if left > 0:
                self.ask()
            else:
                ready.unregister(self.socket)

start = time.perf_counter()
all_callers = [Caller() for _ in range(int(callers))]
while ready.get_map():
    for key, _ in ready.select():
        key.data.receive()
durations.sort()
rate = len(durations) / (time.perf_counter() - start)
print(rate, durations[len(durations) // 2] * 1e3, durations[int(len(durations) * 0.99)] * 1e3)
"""


def load(server: Server, photograph: Path, accept: str, output: str, callers: int) -> tuple[float, float, float]:
    """Requests per second, and p50 and p99 in ms, measured by a separate client process."""
    command = [sys.executable, "-c", LOAD, server.url, accept, output, str(photograph), str(callers), str(REQUESTS)]
    rate, p50, p99 = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(rate), float(p50), float(p99)


def responsiveness(server: Server, photograph: Path) -> tuple[float, float, float]:
    """p50, p99 and maximum of `GET /healthz` in ms while 16 callers request overlays.

    They show how long the event loop is blocked.
    """
    busy = Thread(target=load, args=(server, photograph, "image/png", "overlay", 16))
    busy.start()
    durations = []
    with httpx.Client(base_url=server.url) as client:
        while busy.is_alive():
            start = time.perf_counter()
            client.get("/healthz")
            durations.append((time.perf_counter() - start) * 1e3)
            time.sleep(0.005)
    busy.join()
    durations.sort()
    return durations[len(durations) // 2], durations[int(len(durations) * 0.99)], durations[-1]


def stages(server: Server, photograph: Path, accept: str, output: str) -> dict[str, float]:
    """The median duration of each stage in ms, for requests one after the other."""
    found: dict[str, list[float]] = defaultdict(list)
    with httpx.Client(base_url=server.url) as client:
        for _ in range(30):
            headers = {"Content-Type": "image/jpeg", "Accept": accept}
            response = client.post(
                "/saliency", params={"output": output}, content=photograph.read_bytes(), headers=headers
            )
            for name, ms in re.findall(r"(\w+);dur=([\d.]+)", response.headers["server-timing"]):
                found[name].append(float(ms))
    return {name: median(values) for name, values in found.items()}


def photographs(folder: Path) -> dict[str, Path]:
    """A photograph at its own size, and at the size of the network."""
    cat = Image.open(PHOTOGRAPHS / "chelsea.png").convert("RGB")
    files = {}
    for picture in (cat, cat.resize((224, 224))):
        name = f"{picture.width} x {picture.height}"
        files[name] = folder / f"{picture.width}.jpg"
        picture.save(files[name], "JPEG", quality=90)
    return files


def compared(found: list[tuple[float, float, float, float]], callers: int) -> list[object]:
    """`COLUMNS` from some rounds of requests per second, p50 and p99 in ms, and runs per second of the engine."""
    requests, p50, p99, alone = (median(column) for column in zip(*found, strict=True))
    times = median(p50 * alone / 1e3 / callers for _, p50, _, alone in found)
    return [callers, requests, p50, p99, alone, median(one[0] / one[3] for one in found), times]


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Have the processes that are started run on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


ENGINE = """
import sys
from pathlib import Path
import numpy as np
from service.networks.catalog import Networks
from service.runtime.batcher import Batcher
from service.runtime.cores import cores
from service.runtime.engine import Engine
from tests.benchmarks.measure import rate
batcher = Batcher(lanes=cores(), max_batch=1, max_queue=1000, seconds=600)
network = Networks(Path(sys.argv[1]), Engine("cpu"), batcher, 2**32, "squeezenet1_1")["squeezenet1_1"]
network.warm_up()
image = np.random.default_rng(0).random((1, 3, 224, 224), np.float32)
for line in sys.stdin:
    callers, calls = map(int, line.split())
    print(rate(lambda: network.value_and_grad(image), callers, calls), flush=True)
"""


def apart(folder: Path, files: dict[str, Path]) -> list[list[object]]:
    """Rows for raw maps, with the client on a core of its own."""
    last = max(os.sched_getaffinity(0))
    others = os.sched_getaffinity(0) - {last}
    with on_cores(others):
        server = Server(
            "--models-dir", str(folder / "models"), "--data-dir", str(folder), "--threads", "0", "--no-worker"
        )
        command = [sys.executable, "-c", ENGINE, str(folder / "models")]
        engine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    server.wait_until_ready()
    assert engine.stdin is not None
    assert engine.stdout is not None
    rows: list[list[object]] = []
    for size, photograph in files.items():
        for callers in CALLERS:
            found = []
            for _ in range(ROUNDS):
                with on_cores({last}):
                    measured = load(server, photograph, NPY, "heatmap", callers)
                print(callers, REQUESTS, file=engine.stdin, flush=True)
                found.append((*measured, float(engine.stdout.readline())))
            rows.append([size, NPY, *compared(found, callers)])
    server.stop()
    engine.communicate()
    return rows


def main() -> None:
    """Print the tables."""
    image = np.random.default_rng(0).random((1, 3, 224, 224), np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder / "models")
        files = photographs(folder)
        batcher = Batcher(lanes=CORES, max_batch=1, max_queue=1000, seconds=600)
        networks = Networks(folder / "models", Engine("cpu"), batcher, 2**32, "squeezenet1_1")
        network = networks["squeezenet1_1"]
        network.warm_up()
        server = Server("--models-dir", str(folder / "models"), "--data-dir", name, "--threads", "0", "--no-worker")
        server.wait_until_ready()
        rows: list[list[object]] = []
        costs: list[list[object]] = []
        for size, photograph in files.items():
            for accept, output in ANSWERS:
                load(server, photograph, accept, output, 16)
                for callers in CALLERS:
                    found = [
                        (
                            *load(server, photograph, accept, output, callers),
                            rate(lambda: network.value_and_grad(image), callers, REQUESTS),
                        )
                        for _ in range(ROUNDS)
                    ]
                    rows.append([size, accept, output, *compared(found, callers)])
                spent = stages(server, photograph, accept, output)
                costs.append([size, accept, output, *(spent.get(stage, 0.0) for stage in STAGES)])
        table("POST /saliency, the client on the same cores", ["JPEG", "answer", "output", *COLUMNS], rows)
        table("Stages of one request, ms", ["JPEG", "answer", "output", *STAGES], costs)
        p50, p99, most = responsiveness(server, files["451 x 300"])
        print(
            "\nGET /healthz while 16 callers ask for overlays: "
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, maximum {most:.1f} ms"
        )
        server.stop()
        networks.close()
        if CORES > 1:
            table(
                f"POST /saliency, the client on the last core, server and engine on the other {CORES - 1}",
                ["JPEG", "answer", *COLUMNS],
                apart(folder, files),
            )


if __name__ == "__main__":
    main()
