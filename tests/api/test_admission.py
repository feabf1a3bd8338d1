"""Requests begin a few at a time: a burst of one caller leaves the turn to others."""

import asyncio
from pathlib import Path

from starlette.types import Message, Receive, Scope, Send

from service.api.admission import BEGINNING, Admission
from service.api.keys import Keys, digest
from tests.api.test_places import run, settled

GREEDY = {"authorization": "Bearer greedy"}


class Application:
    """Begins each request, and goes on with it when told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.reads, self.answers = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun.append(scope["path"])
        await self.reads.wait()
        await receive()
        await self.answers.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Client:
    """Sends requests, and keeps their answers."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.statuses: dict[str, int] = {}

    def ask(self, path: str, headers: dict[str, str] = {}, host: str = "192.0.2.1") -> "asyncio.Task[None]":  # noqa: B006
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "GET", "path": path, "headers": sent, "client": (host, 1)}
        scope |= {"query_string": b"", "server": ("a", 80), "scheme": "http", "root_path": ""}

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.statuses[path] = message["status"]

        return asyncio.create_task(self._admission(scope, receive, send))


def test_a_burst_waits_and_others_do_not(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"greedy {digest('greedy')}\nmodest {digest('modest')}\n")

    async def scenario() -> None:
        application = Application()
        client = Client(Admission(application, Keys(file), seconds=30))
        burst = [client.ask(f"/{i}", GREEDY) for i in range(BEGINNING + 3)]
        await settled()
        assert application.begun == [f"/{i}" for i in range(BEGINNING)]
        others = [
            client.ask("/modest", {"authorization": "bearer modest"}),
            client.ask("/page", {"cookie": "convlens_key=modest"}),
            client.ask("/unknown", {"authorization": "Bearer wrong"}),
            client.ask("/greedy", {"cookie": "convlens_key=greedy"}),
        ]
        await settled()
        assert application.begun[BEGINNING:] == ["/modest", "/unknown"]
        application.reads.set()  # all that have begun wait for their bodies: the next ones begin
        await settled()
        assert len(application.begun) == BEGINNING + 7
        application.answers.set()
        await asyncio.gather(*burst, *others)
        assert set(client.statuses.values()) == {200}

    run(scenario)


def test_without_keys_callers_are_told_by_their_addresses() -> None:
    async def scenario() -> None:
        application = Application()
        client = Client(Admission(application, Keys(None), seconds=30))
        asked = [client.ask(f"/{i}", {"authorization": f"Bearer {i}"}) for i in range(BEGINNING + 1)]
        asked.append(client.ask("/other", host="192.0.2.2"))
        await settled()
        assert application.begun[BEGINNING:] == ["/other"]
        application.reads.set()
        application.answers.set()
        await asyncio.gather(*asked)

    run(scenario)


def test_who_waits_too_long_is_told_to_try_again() -> None:
    async def scenario() -> None:
        application = Application()
        client = Client(Admission(application, Keys(None), seconds=0))
        asked = [client.ask(f"/{i}") for i in range(BEGINNING + 1)]
        await asked[-1]
        assert client.statuses == {f"/{BEGINNING}": 503}
        application.reads.set()
        application.answers.set()
        await asyncio.gather(*asked)

    run(scenario)


def test_a_request_that_fails_leaves_its_place() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError

    async def scenario() -> None:
        client = Client(Admission(failing, Keys(None), seconds=30))
        found = await asyncio.gather(*(client.ask(f"/{i}") for i in range(3 * BEGINNING)), return_exceptions=True)
        assert all(isinstance(error, ValueError) for error in found)

    run(scenario)
