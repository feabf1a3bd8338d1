"""The event loop goes on beating whatever is sent to it."""

import asyncio
import gc
import gzip
import io
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread

import httpx
import pytest
import uvicorn
from PIL import Image

from service.api.connections import BoundedHttp
from service.main import create_app
from service.runtime.memory import pass_over_what_stays
from service.settings import Settings
from tests.waiting import eventually

BEAT_SECONDS = 0.005
ALLOWED_SECONDS = 5 * 0.05  # of the loop's own processor time, which other processes do not lengthen


@dataclass
class Beating:
    """A service, and the longest that its event loop computed between two beats, in seconds."""

    client: httpx.Client
    longest: float = 0.0

    async def beat(self) -> None:
        """Beat, and measure what the thread of the loop has computed since."""
        while True:
            before = time.thread_time()
            await asyncio.sleep(BEAT_SECONDS)
            self.longest = max(self.longest, time.thread_time() - before)


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[Beating]:
    app = create_app(settings)
    pass_over_what_stays()  # as `convlens serve` does; here the other tests are among it
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, http=BoundedHttp))

    async def serve() -> None:
        beats = asyncio.create_task(beating.beat())
        await server.serve()
        beats.cancel()

    with httpx.Client(timeout=60) as client:
        beating = Beating(client)
        thread = Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        eventually(lambda: server.started or not thread.is_alive())
        client.base_url = httpx.URL(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
        eventually(lambda: client.get("/readyz").status_code, lambda status: status == 200)
        yield beating
        server.should_exit = True
        thread.join()
    gc.unfreeze()


def raw(client: httpx.Client, sent: bytes) -> None:
    """Send bytes, and read what comes."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=60) as connection:
        try:
            connection.sendall(sent)
            while connection.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass


def flat_png(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side)).save(buffer, "PNG")
    return buffer.getvalue()


def many_parts() -> tuple[bytes, dict[str, str]]:
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'
    return part * 30_000, {"Content-Type": "multipart/form-data; boundary=b"}


JSON = {"Content-Type": "application/json"}
PNG = {"Content-Type": "image/png"}
INFER = "/v2/models/squeezenet1_1/infer"
START = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
HOSTILE: dict[str, Callable[[httpx.Client], object]] = {
    "a header of 30 MB": lambda c: raw(c, START + b"X: " + b"a" * 30_000_000 + b"\r\n\r\n"),
    "a million headers": lambda c: raw(c, START + b"a: b\r\n" * 1_000_000 + b"\r\n"),
    "9 MB of unknown keys": lambda c: c.post(
        "/visualize", content=json.dumps({f"unknown{i}": i for i in range(500_000)}), headers=JSON
    ),
    "64 KB of unknown keys": lambda c: c.post(
        "/visualize", content=json.dumps({f"{i:x}": 1 for i in range(5000)}), headers=JSON
    ),
    "brackets": lambda c: c.post("/visualize", content="[" * 60_000, headers=JSON),
    "a long list": lambda c: c.post("/visualize", json={"class_id": [1] * 15_000}),
    "many lists": lambda c: c.post(INFER, content=b'{"inputs": [' + b"[]," * 340_000 + b"0]}"),
    "a tensor of a million numbers": lambda c: c.post(
        INFER, content=b'{"inputs": [' + b"0.123456789," * 10**6 + b"0]}"
    ),
    "a URL of 62 KB": lambda c: c.post("/saliency?" + "&".join(f"a{i}=1" for i in range(7000)), content=b"x"),
    "a long list in a URL": lambda c: c.post("/saliency?class_id=" + "1," * 30_000, content=b"x"),
    "a form of 30,000 fields": lambda c: c.post("/saliency", content=many_parts()[0], headers=many_parts()[1]),
    "a packed bomb": lambda c: c.post(
        "/saliency",
        content=gzip.compress(b"\0" * 2**26),
        headers={"Content-Type": "image/png", "Content-Encoding": "gzip"},
    ),
    "flat pictures of 36 megapixels": lambda c: c.post("/classify", files=[("image", flat_png(6000))] * 2),
    "20 MB of nothing": lambda c: c.post(
        "/classify", content=b"\0" * 20_000_000, headers={"Content-Type": "image/png"}
    ),
    "a cookie of 60 KB": lambda c: c.get("/models", headers={"Cookie": "; ".join(f"a{i}=b" for i in range(7000))}),
    "many media types": lambda c: c.post("/saliency", content=b"x", headers={"Accept": "a/b;q=0.1," * 5000}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_event_loop_is_never_blocked_for_long(service: Beating, name: str) -> None:
    service.longest = 0.0
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(HOSTILE[name], service.client) for _ in range(4)]:
            with suppress(httpx.TransportError):  # it may be refused while it is still sending
                done.result()
    assert service.client.get("/healthz").status_code == 200
    assert service.longest < ALLOWED_SECONDS
