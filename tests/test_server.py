"""The real process: what it answers under abuse, and that it gives memory back."""

import asyncio
import io
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
from PIL import Image

from tests.api.test_problems import png
from tests.conftest import Server
from tests.waiting import eventually


def test_abuse_is_answered_and_memory_comes_back(server: Server, cat: bytes) -> None:
    client = server.client

    def saliency(data: bytes) -> int:
        return client.post("/saliency", files={"image": data}).status_code

    def endless(mebibytes: int):  # type: ignore[no-untyped-def]
        for _ in range(mebibytes):
            yield bytes(2**20)

    async def parallel(number: int) -> list[int]:
        async with httpx.AsyncClient(
            base_url=server.url, timeout=120, limits=httpx.Limits(max_connections=number)
        ) as many:
            responses = await asyncio.gather(*(many.post("/saliency", files={"image": cat}) for _ in range(number)))
        return [response.status_code for response in responses]

    def round_of_abuse() -> None:
        assert saliency(b"") == 400
        assert saliency(b"a text file") == 400
        assert saliency(cat[:-1000]) == 400
        assert saliency(png(30_000, 30_000)) == 422
        assert client.post("/saliency?class_id=nan", files={"image": cat}).status_code == 422
        with suppress(httpx.WriteError):  # the server hangs up on the rest of the body
            assert (
                client.post("/saliency", content=endless(100), headers={"Content-Type": "image/png"}).status_code == 413
            )
        assert asyncio.run(parallel(50)) == [200] * 50

    round_of_abuse()  # pools and arenas reach their size
    before = server.resident_mib()
    for _ in range(3):
        round_of_abuse()
    assert server.resident_mib() < before * 1.15
    assert client.get("/healthz").status_code == 200


def test_a_client_that_hangs_up_harms_nobody(server: Server, cat: bytes) -> None:
    address = (server.client.base_url.host, server.client.base_url.port or 80)
    for _ in range(5):
        with socket.create_connection(address) as rude:
            rude.sendall(
                b"POST /saliency HTTP/1.1\r\nHost: [::1]\r\nContent-Type: image/png\r\nContent-Length: 9999999\r\n\r\n"
                + cat
            )
    assert server.client.post("/saliency", files={"image": cat}).status_code == 200


def test_the_process_ends_cleanly(server: Server) -> None:
    assert server.client.get("/healthz").status_code == 200
    server.stop()
    assert server.process.returncode in (0, -15)


def test_a_request_under_way_is_not_cut_by_the_end_of_the_service(models_dir: Path, tmp_path: Path, cat: bytes) -> None:
    server = Server("--models-dir", str(models_dir), "--data-dir", str(tmp_path), "--no-worker")
    server.wait_until_ready()
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(server.client.post, "/saliency?method=rise&masks=500", files={"image": cat})
        with httpx.Client(base_url=server.url) as other:
            eventually(lambda: is_busy(other))
        server.process.terminate()
        assert slow.result().status_code == 200
    assert server.process.wait(30) in (0, -signal.SIGTERM)  # uvicorn ends with the signal that it was sent


def is_busy(client: httpx.Client) -> bool:
    """Whether runs of the slow request have been counted."""
    found = re.search(r'^convlens_runs_total{kind="interactive"} (\S+)$', client.get("/metrics").text, re.MULTILINE)
    return found is not None and float(found[1]) > 60  # the warm-up makes fewer


def peak_mib(server: Server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def flat_png(mode: str) -> tuple[str, bytes, str]:
    """A picture of 49 megapixels in a few kilobytes."""
    buffer = io.BytesIO()
    Image.new(mode, (7000, 7000), (90, 120, 40, 200)[: len(mode)]).save(buffer, "PNG", compress_level=1)
    return "flat.png", buffer.getvalue(), "image/png"


def test_large_pictures_and_ever_other_sizes_take_bounded_memory(server: Server) -> None:
    server.wait_until_ready()
    many = [("image", flat) for flat in [flat_png("RGB")] * 5 + [flat_png("RGBA")] * 3]
    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(server.client.post, "/classify", files=many, timeout=300) for _ in range(2)]
        assert [each.result().status_code for each in sent] == [200, 200]
    for width in range(300, 1780, 20):
        picture = io.BytesIO()
        Image.linear_gradient("L").resize((width, 224)).save(picture, "PNG")
        answer = server.client.post("/saliency?resize=native", files={"image": picture.getvalue()})
        assert answer.status_code == 200
    assert peak_mib(server) < 1000
