"""The clients: the same methods in both, bounds of time, retries, and events that are some."""

import asyncio
import inspect
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from service.client import AsyncClient, Client, ServiceError

JOB = {
    "id": "a", "kind": "class", "batch": None, "state": "running", "times": {}, "class_id": 1, "class_name": "x",
    "step": 0, "steps": 1, "score": None, "rank": None, "trace": [], "first_at_rank_1": None, "steps_before_relu": 0,
    "restarts": 0, "position": None, "attempts": 1, "parameters": {}, "preview": None, "result": None, "problem": None,
    "links": {"self": "", "image": "", "frames": [], "animation": "", "events": "", "cancel": "", "batch": None,
              "artifacts": {}},
}  # fmt: skip


def public(kind: type) -> dict[str, list[str]]:
    """The public methods and the names of their parameters."""
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {name: list(inspect.signature(m).parameters) for name, m in methods if not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    assert public(Client) == public(AsyncClient)
    assert {"classes", "models", "submit", "start", "wait", "events"} <= public(Client).keys()


@contextmanager
def answering(answer: Callable[[int, str], tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    """A server whose answers to the first, second … request are given; its address."""
    count = 0

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            nonlocal count
            self.rfile.read(int(self.headers.get("content-length", 0)))
            status, headers, body = answer(count, self.path)
            count += 1
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = respond  # noqa: N815 - names of the library

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def busy_first(times: int, status: int, **headers: str) -> Callable[[int, str], tuple[int, dict[str, str], bytes]]:
    def answer(number: int, _: str) -> tuple[int, dict[str, str], bytes]:
        if number < times:
            return status, headers, b'{"detail": "busy"}'
        return 200, {}, b"[]"

    return answer


@pytest.mark.parametrize("status", [429, 503])
def test_refusals_for_now_are_sent_again_after_the_pause_they_ask_for(status: int) -> None:
    with answering(busy_first(2, status, **{"Retry-After": "0.3"})) as url, Client(url) as client:
        start = time.monotonic()
        assert client.models() == []
        assert time.monotonic() - start >= 0.6
    with answering(busy_first(2, status, **{"Retry-After": "0"})) as url:

        async def ask() -> list[dict[str, Any]]:
            async with AsyncClient(url) as client:
                return await client.models()

        assert asyncio.run(ask()) == []


def test_retries_end_with_the_timeout_and_other_refusals_are_final() -> None:
    busy = busy_first(10**6, 503, **{"Retry-After": "3600"})
    with answering(busy) as url, Client(url, timeout=5) as client, pytest.raises(ServiceError, match="busy"):
        client.models()
    asked: list[str] = []

    def refuse(_: int, path: str) -> tuple[int, dict[str, str], bytes]:
        asked.append(path)
        return 422, {"Retry-After": "0"}, b'{"detail": "no"}'

    with answering(refuse) as url, Client(url) as client, pytest.raises(ServiceError, match="no"):
        client.models()
    assert len(asked) == 1


def test_waiting_asks_for_no_more_time_than_is_left() -> None:
    waits: list[float] = []

    def answer(_: int, path: str) -> tuple[int, dict[str, str], bytes]:
        waits.append(float(httpx.URL(path).params["wait"]))
        time.sleep(0.3)  # what a poll takes here, whatever it asks for
        return 200, {"Content-Type": "application/json"}, json.dumps(JOB).encode()

    late = pytest.raises(TimeoutError, match="is not done after 1 seconds")
    with answering(answer) as url, Client(url) as client, late:
        client.wait("a", timeout=1)
    assert waits[0] <= 1
    assert waits == sorted(waits, reverse=True)
    waits.clear()
    with answering(answer) as url:

        async def wait() -> None:
            async with AsyncClient(url) as client:
                await client.wait("a", timeout=1)

        with pytest.raises(TimeoutError):
            asyncio.run(wait())
    assert max(waits) <= 1


def test_signs_of_life_are_no_events() -> None:
    stream = b": still here\n\nevent: progress\ndata: {}\nid: 1-0\n\n: still here\n\ndata:\n\nevent: end\ndata: {}\n\n"

    def answer(_: int, __: str) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Type": "text/event-stream"}, stream

    with answering(answer) as url, Client(url) as client:
        assert [event.event for event in client.events("a")] == ["progress", "end"]
