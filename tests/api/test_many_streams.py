"""A thousand open streams of events, on a real server process and a real Valkey."""

import asyncio
import json
import re
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from redis import Redis

from service.jobs.valkey import EmbeddedValkey
from tests.conftest import Server
from tests.jobs.test_crashes import kill_valkey

STREAMS = 1000
SMALL: dict[str, Any] = {"class_id": 76, "size": 64, "preview_every": 0}

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def enough_files() -> Iterator[None]:
    """Of this process, and of the server that it starts."""
    soft, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 10 * STREAMS + 1000:
        pytest.skip(f"no more than {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3 * STREAMS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def url(enough_files: None, models_dir: Path, folder: Path) -> Iterator[str]:
    server = Server("--models-dir", str(models_dir), "--data-dir", str(folder))
    yield server.url
    server.stop()


@dataclass
class Stream:
    """A stream, read from the socket, since a thousand of them are too many for a client that does more."""

    reader: asyncio.StreamReader
    text: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        while data := await self.reader.read(2**20):
            self.text += data.decode()
            self.changed.set()

    async def until(self, holds: Callable[[str], bool]) -> None:
        while not holds(self.text):
            self.changed.clear()
            await self.changed.wait()

    @property
    def names(self) -> list[str]:
        return [line[7:].strip() for line in self.text.splitlines() if line.startswith("event: ")]


@asynccontextmanager
async def listening(url: str, path: str) -> AsyncIterator[Stream]:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode())
    try:
        yield Stream(reader)
    finally:
        writer.close()


def connections(folder: Path) -> int:
    with Redis(unix_socket_path=str(EmbeddedValkey(folder).socket)) as redis:
        return len(redis.client_list())  # type: ignore[arg-type]


async def test_a_thousand_streams_disturb_nobody(url: str, folder: Path) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client, AsyncExitStack() as stack:

        async def submit(iterations: int) -> dict[str, Any]:
            answer = await client.post("/visualize", json={**SMALL, "iterations": iterations})
            return dict(answer.raise_for_status().json()["links"])

        blockers = [await submit(4000) for _ in range(4)]  # occupy the worker
        waiting = [await submit(1) for _ in range(10)]
        streams = [await stack.enter_async_context(listening(url, waiting[i % 10]["events"])) for i in range(STREAMS)]
        reading = [asyncio.create_task(stream.read()) for stream in streams]
        async with asyncio.timeout(60):
            await asyncio.gather(*(stream.until(lambda text: "event: state" in text) for stream in streams))
            assert connections(folder) < 80
            for _ in range(10):
                job = await submit(1)
                for answer in (
                    await client.get("/visualize"),
                    await client.get(job["self"]),
                    await client.post(job["cancel"]),
                    await client.delete(job["self"]),
                ):
                    assert answer.is_success, answer.text
            for job in waiting:
                assert (await client.post(job["cancel"])).is_success
            await asyncio.gather(*(stream.until(lambda text: "event: end" in text) for stream in streams))
        assert all(stream.names == ["state", "state", "end"] for stream in streams)
        assert connections(folder) < 80
        for job in blockers:
            await client.delete(job["self"])
        for task in reading:
            task.cancel()


async def test_one_who_does_not_read_holds_up_nobody_and_misses_nothing(url: str, folder: Path) -> None:
    """More than fits into the buffers of a connection, and into the memory of the process for the job."""
    async with httpx.AsyncClient(base_url=url) as client:
        job = (await client.post("/visualize", json={**SMALL, "iterations": 4000})).json()

        def tell(name: str, data: str, number: int) -> None:
            with Redis(unix_socket_path=str(EmbeddedValkey(folder).socket)) as redis, redis.pipeline() as pipe:
                for _ in range(number):
                    pipe.xadd(f"convlens:events:{job['id']}", {"event": name, "data": data})
                pipe.xadd("convlens:news", {"job": job["id"]})
                pipe.execute()

        path = job["links"]["events"]
        async with listening(url, path) as slow, listening(url, path) as prompt, asyncio.timeout(60):
            reading = asyncio.create_task(prompt.read())
            for _ in range(16):
                await asyncio.to_thread(tell, "preview", json.dumps("x" * 20_000), 50)
            await asyncio.to_thread(tell, "end", "{}", 1)
            await prompt.until(lambda text: "event: end" in text[-200:])
            assert slow.text == ""
            await asyncio.gather(reading, slow.read())
        ids = re.findall(r"(?m)^id: \S+", prompt.text)
        assert len(ids) == len(set(ids)) == len(prompt.names)
        assert re.findall(r"(?m)^id: \S+", slow.text) == ids
        assert slow.names.count("preview") == 800
        await client.delete(job["links"]["self"])


async def test_streams_go_on_after_the_death_of_the_valkey(url: str, folder: Path) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client, AsyncExitStack() as stack:
        answer = await client.post("/visualize", json={**SMALL, "iterations": 800})
        path = answer.json()["links"]["events"]
        streams = [await stack.enter_async_context(listening(url, path)) for _ in range(20)]
        reading = [asyncio.create_task(stream.read()) for stream in streams]
        async with asyncio.timeout(60):
            await asyncio.gather(*(stream.until(lambda text: "event: progress" in text) for stream in streams))
            await asyncio.to_thread(kill_valkey, EmbeddedValkey(folder))
            await asyncio.gather(*(stream.until(lambda text: "event: end" in text) for stream in streams))
        assert len({tuple(line for line in s.text.splitlines() if line.startswith("id: ")) for s in streams}) == 1
        ids = [line for line in streams[0].text.splitlines() if line.startswith("id: ")]
        assert len(ids) == len(set(ids))
        for task in reading:
            task.cancel()
