"""The clients: the same methods in both, bounds of time, retries, and events that are some."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from service.client import AsyncClient, Client, ServiceError

Answer = tuple[int, dict[str, str], bytes]  # status, headers and body

JOB = {
    "id": "a", "kind": "class", "batch": None, "state": "running", "times": {}, "class_id": 1, "class_name": "x",
    "step": 0, "steps": 1, "score": None, "rank": None, "trace": [], "first_at_rank_1": None, "steps_before_relu": 0,
    "restarts": 0, "position": None, "attempts": 1, "parameters": {}, "preview": None, "result": None, "problem": None,
    "links": {"self": "", "image": "", "frames": [], "animation": "", "events": "", "cancel": "", "batch": None,
              "artifacts": {}},
}  # fmt: skip

NOON = 1767268800.0  # Thu, 01 Jan 2026 12:00:00 GMT


def public(kind: type) -> dict[str, str]:
    """The constructor and the public methods with their signatures; that one is to be awaited does not count."""
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {
        name: str(inspect.signature(method)).replace("AsyncIterator", "Iterator")
        for name, method in methods
        if name == "__init__" or not name.startswith("_")
    }


def test_both_clients_have_the_same_methods() -> None:
    assert public(Client) == public(AsyncClient)
    assert {"classes", "models", "submit", "start", "wait", "events"} <= public(Client).keys()


class Clock:
    """Time that passes only while the client sleeps, and when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        assert len(self.slept) < 100, "it sleeps without end"
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("service.client.client.time", SimpleNamespace(sleep=clock.sleep))
    monkeypatch.setattr("service.client.async_client.asyncio", SimpleNamespace(sleep=clock.sleep_async))
    monkeypatch.setattr(
        "service.client.retries.time", SimpleNamespace(monotonic=lambda: clock.now, time=lambda: NOON + clock.now)
    )
    return clock


def in_turn(url: str, use: Callable[[Any], Any], **options: Any) -> Any:
    """What a call of the client gives; all of it, if it is a stream."""
    with Client(url, **options) as client:
        answer = use(client)
        return list(answer) if isinstance(answer, Iterator) else answer


def awaited(url: str, use: Callable[[Any], Any], **options: Any) -> Any:
    """The same of the asynchronous client."""

    async def ask() -> Any:
        async with AsyncClient(url, **options) as client:
            answer = use(client)
            return [item async for item in answer] if isinstance(answer, AsyncIterator) else await answer

    return asyncio.run(ask())


either = pytest.mark.parametrize("ask", [in_turn, awaited])


@contextmanager
def answering(answer: Callable[[int, str, Message], Answer]) -> Iterator[str]:
    """A server whose answers to the first, second … request are given; its address."""
    count = 0

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            nonlocal count
            self.rfile.read(int(self.headers.get("content-length", 0)))
            status, headers, body = answer(count, self.path, self.headers)
            count += 1
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = respond  # noqa: N815 - names of the library

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


STREAM = {"Content-Type": "text/event-stream"}


def busy_first(times: int, after: str, last: Answer, status: int = 503) -> Callable[..., Answer]:
    """Answers that refuse so many times, and then the last one."""
    return lambda number, *_: (status, {"Retry-After": after}, b'{"detail": "busy"}') if number < times else last


RUNNING: Answer = (200, {"Content-Type": "application/json"}, json.dumps(JOB).encode())
DONE: Answer = (200, {"Content-Type": "application/json"}, json.dumps(JOB | {"state": "succeeded"}).encode())
END: Answer = (200, STREAM, b"event: end\ndata: {}\n\n")


@either
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("after", "pause"), [("7", 7.0), ("0", 0.25), ("-3", 0.25), ("Thu, 01 Jan 2026 12:00:30 GMT", None)]
)
def test_refusals_for_now_are_sent_again_after_the_pause_they_ask_for(
    clock: Clock, ask: Callable[..., Any], status: int, after: str, pause: float | None
) -> None:
    pauses = [30.0, 0.25] if pause is None else [pause, pause]  # the date has come when it is told again
    with answering(busy_first(2, after, (200, {}, b"[]"), status)) as url:
        assert ask(url, lambda client: client.models()) == []
    assert clock.slept == pauses


@either
@pytest.mark.parametrize("after", ["56", "3600", "nan", "inf", "soon", "Thu, 01 Jan 2026 12:05:00 GMT"])
def test_pauses_beyond_the_timeout_and_senseless_ones_are_not_waited_for(
    clock: Clock, ask: Callable[..., Any], after: str
) -> None:
    with answering(busy_first(1, after, (200, {}, b"[]"))) as url, pytest.raises(ServiceError, match="busy"):
        ask(url, lambda client: client.models(), timeout=55)
    assert clock.slept == []


@either
def test_retries_end_with_the_timeout(clock: Clock, ask: Callable[..., Any]) -> None:
    with answering(busy_first(10**6, "20", (200, {}, b"[]"))) as url, pytest.raises(ServiceError, match="busy"):
        ask(url, lambda client: client.models(), timeout=55)
    assert clock.slept == [20.0, 20.0]


@either
def test_other_refusals_are_final(clock: Clock, ask: Callable[..., Any]) -> None:
    with answering(busy_first(1, "0", (200, {}, b"[]"), status=422)) as url, pytest.raises(ServiceError, match="busy"):
        ask(url, lambda client: client.models())
    assert clock.slept == []


@either
def test_streams_that_are_refused_for_now_are_asked_for_again(clock: Clock, ask: Callable[..., Any]) -> None:
    with answering(busy_first(2, "7", END)) as url:
        events = ask(url, lambda client: client.events("a"))
    assert [event.event for event in events] == ["end"]
    assert clock.slept == [7.0, 7.0]


@either
def test_waiting_keeps_to_the_pause_that_is_asked_for(clock: Clock, ask: Callable[..., Any]) -> None:
    with answering(busy_first(2, "40", DONE, status=429)) as url:
        assert ask(url, lambda client: client.wait("a")).state == "succeeded"
    assert clock.slept == [40.0, 40.0]


@either
def test_waiting_asks_for_no_more_time_than_is_left(clock: Clock, ask: Callable[..., Any]) -> None:
    waits: list[float] = []

    def answer(_: int, path: str, _headers: Message) -> Answer:
        assert len(waits) < 100, "it asks without end"
        waits.append(float(httpx.URL(path).params["wait"]))
        clock.now += waits[-1]  # a poll takes as long as it asks for
        return RUNNING

    with answering(answer) as url, pytest.raises(TimeoutError, match="is not done after 22 seconds"):
        ask(url, lambda client: client.wait("a", timeout=22))
    assert waits == pytest.approx([20, 1.8, 0])
    assert clock.now <= 22


@either
def test_waiting_for_no_time_looks_once(clock: Clock, ask: Callable[..., Any]) -> None:
    with answering(lambda *_: DONE) as url:
        assert ask(url, lambda client: client.wait("a", timeout=0)).state == "succeeded"


@either
def test_waiting_ends_in_time_when_the_service_is_away(clock: Clock, ask: Callable[..., Any]) -> None:
    with answering(lambda *_: DONE) as url:
        pass  # nobody listens there any more
    with pytest.raises(TimeoutError, match="is not done after 10 seconds"):
        ask(url, lambda client: client.wait("a", timeout=10))
    assert clock.slept[:5] == [0.25, 0.5, 1.0, 2.0, 4.0]
    assert clock.now == pytest.approx(10)


@either
def test_signs_of_life_are_no_events(ask: Callable[..., Any]) -> None:
    stream = b": still here\n\nevent: progress\ndata: {}\nid: 1-0\n\n: still here\n\ndata:\n\nevent: end\ndata: {}\n\n"
    with answering(lambda *_: (200, STREAM, stream)) as url:
        events = ask(url, lambda client: client.events("a"))
    assert [event.event for event in events] == ["progress", "end"]


@either
def test_a_stream_that_was_cut_is_taken_up_where_it_was(clock: Clock, ask: Callable[..., Any]) -> None:
    begun = b"event: progress\ndata: {}\nid: 1-0\n\nevent: progress\nda"
    asked: list[str | None] = []

    def answer(number: int, _: str, headers: Message) -> Answer:
        asked.append(headers["Last-Event-ID"])
        if number == 1:
            return 200, {"Content-Length": "1000", **STREAM}, begun  # the connection breaks in the middle
        return (200, STREAM, begun) if number == 0 else END

    with answering(answer) as url:
        events = ask(url, lambda client: client.events("a", "0-7"))
    assert [event.event for event in events] == ["progress", "progress", "end"]
    assert asked == ["0-7", "1-0", "1-0"]
    assert clock.slept == [0.25, 0.25]


@either
def test_a_stream_that_never_ends_well_is_given_up(clock: Clock, ask: Callable[..., Any]) -> None:
    with answering(lambda *_: (200, STREAM, b"")) as url, pytest.raises(httpx.TransportError, match="cut"):
        ask(url, lambda client: client.events("a"), timeout=9)
    assert clock.now == pytest.approx(9)


@either
def test_a_stream_that_has_told_all_is_empty(ask: Callable[..., Any]) -> None:
    with answering(lambda *_: (204, {}, b"")) as url:
        assert ask(url, lambda client: client.events("a", "5-0")) == []


@either
def test_parts_of_paths_stay_parts_of_paths(ask: Callable[..., Any]) -> None:
    asked: list[str] = []

    def answer(_: int, path: str, _headers: Message) -> Answer:
        asked.append(path)
        return 200, {}, b"[]"

    with answering(answer) as url:
        ask(url, lambda client: client.classes("../a b?c#d%2F", ""))
        for name in ("..", ".", ""):
            with pytest.raises(ValueError, match="is no name"):
                ask(url, lambda client, name=name: client.get(name))
    assert asked == ["/models/..%2Fa%20b%3Fc%23d%252F/classes?query="]


MISSING: Answer = (404, {}, b'{"detail": "there is no job"}')


@either
def test_a_job_that_is_missing_after_a_failure_has_been_deleted(clock: Clock, ask: Callable[..., Any]) -> None:
    with answering(busy_first(1, "0", MISSING)) as url:
        assert ask(url, lambda client: client.delete("a")) is None
    for answer in (lambda *_: MISSING, busy_first(1, "0", MISSING, status=429)):  # not even tried before
        with answering(answer) as url, pytest.raises(ServiceError, match="there is no job"):
            ask(url, lambda client: client.delete("a"))
    with answering(busy_first(1, "0", MISSING)) as url, pytest.raises(ServiceError, match="there is no job"):
        ask(url, lambda client: client.get("a"))
